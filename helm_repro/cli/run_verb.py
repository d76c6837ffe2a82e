"""``helm-repro run``: run a leaderboard on Docker or locally."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

import click
from rich.console import Console

from helm_repro.catalogue import Leaderboard, load_catalogue
from helm_repro.cli.gpu_option import chosen_board, gpu_option
from helm_repro.cli.scores_verb import print_scores
from helm_repro.engines import choose
from helm_repro.engines.request import Engine, RunRequest
from helm_repro.engines.shards import run_shards
from helm_repro.errors import ConfigurationError, HelmReproError
from helm_repro.inside.errors import InsideError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.credentials import HELM_VARIABLE, KEY_FILES, read_credentials
from helm_repro.inside.inputs.shard import WHOLE, Shard, read_shard
from helm_repro.inside.variables import BY_NAME, STAGES
from helm_repro.results.progress import LiveProgress
from helm_repro.results.written_suite import WrittenSuite

# DATA_DIR and SERVER_HOST belong to the engine.
_PASSED_ON = tuple(name for name in BY_NAME if name not in ("DATA_DIR", "SERVER_HOST", "PORT"))


@click.command("run")
@click.argument("leaderboard")
@click.option("--model", "models", multiple=True, help="Model to evaluate; repeat for several (MODELS_TO_RUN).")
@click.option("--engine", type=click.Choice(choose.NAMES), default="auto", show_default=True)
@click.option("--stages", default=None, help=f"Stages, comma separated, of {', '.join(STAGES)}.")
@click.option("--shards", type=click.IntRange(1, 64), default=1, help="Containers that share the work on this host.")
@click.option("-e", "assignments", multiple=True, metavar="NAME=VALUE", help="Variable for the entrypoint.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@click.option("--publish", default="127.0.0.1:8000", show_default=True, help="Host address of the server stage.")
@gpu_option()
@click.option("--quiet", is_flag=True, help="HELM's output only into the log file.")
def command(
    leaderboard: str,
    models: tuple[str, ...],
    engine: str,
    stages: str | None,
    shards: int,
    assignments: tuple[str, ...],
    output: Path,
    publish: str,
    gpu: bool,
    quiet: bool,
) -> None:
    """Run LEADERBOARD: its stages, with results below the output folder.

    Variables of the entrypoint are taken from the environment and from -e.
    """
    catalogue = load_catalogue()
    board = chosen_board(catalogue, leaderboard, gpu)
    variables = gather_variables(models, assignments, board)
    words = tuple(stages.split(",")) if stages else ()
    asked = words or tuple(variables.get("STAGES", "").replace(",", " ").split())
    shard = _named_shard(variables) if shards == 1 and "run" in (asked or STAGES) else WHOLE
    # As the entrypoint does: shards are summarised once all have ended.
    chosen = asked or (STAGES if shard.is_whole else ("run",))
    suite = WrittenSuite(output, variables, chosen)
    variables |= {**suite.variables, **_shard_variables(shard)}
    ready = choose.prepared_engine(engine, catalogue, board, _say)
    address = parse_address(publish) if "server" in chosen else None
    request = RunRequest(catalogue, board, words, variables, output, address)
    code = _run_and_show(ready, request, suite, quiet, shards)
    if "summarize" in chosen and code in (ExitCode.OK, ExitCode.PARTIAL):
        _show_scores(suite)
    sys.exit(code)


def _named_shard(variables: Mapping[str, str]) -> Shard:
    try:
        return read_shard({**os.environ, **variables})
    except InsideError as error:
        raise ConfigurationError(str(error)) from error


def _shard_variables(shard: Shard) -> dict[str, str]:
    """A container sees no variables of the scheduler's; without these each task of an array would run everything."""
    return {} if shard.is_whole else {"SHARD_INDEX": str(shard.index), "SHARD_COUNT": str(shard.count)}


def _show_scores(suite: WrittenSuite) -> None:
    """Print the table if there is one; the exit code stays the entrypoint's, which has done its work."""
    if suite.path is None:
        _say(f"no scores: which suite was written instead of {suite.named} is not known")
        return
    if suite.path != suite.named:
        _say(f"written to {suite.path}")
    try:
        print_scores(suite.path)
    except (HelmReproError, OSError, ValueError) as error:
        _say(f"no scores: {error}")


def gather_variables(
    models: tuple[str, ...], assignments: tuple[str, ...], board: Optional[Leaderboard] = None
) -> dict[str, str]:
    """Variables from the environment, then ``-e``, then ``--model``.

    Keys are among them: a ``<NAME>_FILE`` is read here, because a container does not see the file.

    Args:
        board: its variables for gated data are passed on, too.

    Raises:
        ConfigurationError: an assignment is not NAME=VALUE, or a key's file cannot be read.
    """
    given = dict(map(_assignment, assignments))
    # One form of a key given by -e takes the place of either in the environment.
    replaced = {form for name in given for form in (f"{name}_FILE", name.removesuffix("_FILE"))}
    everything = {**{name: value for name, value in os.environ.items() if name not in replaced}, **given}
    try:
        keys = read_credentials(everything, Path("/nonexistent")).values
    except InsideError as error:
        raise ConfigurationError(str(error)) from error
    passed_on = (*_PASSED_ON, HELM_VARIABLE, *(board.data_variables if board else ()))
    variables = {name: everything[name] for name in passed_on if everything.get(name)} | given
    variables = {**{name: value for name, value in variables.items() if name not in KEY_FILES}, **keys}
    if models:
        variables["MODELS_TO_RUN"] = " ".join(models)
    return variables


def _assignment(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise ConfigurationError(f"-e {name}: must be NAME=VALUE")
    return name, value


def ask_entrypoint(
    leaderboard: str,
    words: tuple[str, ...],
    models: tuple[str, ...],
    engine: str,
    assignments: tuple[str, ...],
    output: Path,
    gpu: bool = False,
) -> int:
    """Run one of the entrypoint's commands; its answer goes to standard output, the log to standard error."""
    catalogue = load_catalogue()
    board = chosen_board(catalogue, leaderboard, gpu)
    variables = gather_variables(models, assignments, board)
    ready = choose.prepared_engine(engine, catalogue, board, _say)
    request = RunRequest(catalogue, board, words, variables, output)
    return ready.run(request, _write_through, sys.stderr.buffer.write)


def parse_address(address: str) -> tuple[str, int]:
    """Split ``host:port``.

    Raises:
        ConfigurationError: it is not of that form.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ConfigurationError(f"--publish {address}: must be ADDRESS:PORT, as in 127.0.0.1:8000")
    return host.strip("[]"), int(port)


def _run_and_show(engine: Engine, request: RunRequest, suite: WrittenSuite, quiet: bool, shards: int) -> int:
    console = Console(stderr=True)
    if not (console.is_terminal or quiet):
        return run_shards(engine, request, shards, _write_through)
    log_path = request.output / f"{suite.named.name}.log"
    request.make_output()
    with log_path.open("ab") as log, LiveProgress(suite, console):
        _say(f"HELM's output goes to {log_path}")

        def write(chunk: bytes) -> None:
            log.write(chunk)
            log.flush()
            for line in chunk.decode(errors="replace").splitlines():
                if line.startswith("helm-repro: ") or '"event": ' in line:
                    console.print(line, markup=False, highlight=False, soft_wrap=True)

        return run_shards(engine, request, shards, write)


def _write_through(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _say(message: str) -> None:
    click.echo(f"helm-repro: {message}", err=True)
