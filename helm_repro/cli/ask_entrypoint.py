"""Ask a leaderboard's entrypoint what it would run, on whatever engine there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.cli.published_options import say
from helm_repro.cli.run_verb import gather_variables
from helm_repro.engines import choose
from helm_repro.engines.request import RunRequest
from helm_repro.errors import EngineError
from helm_repro.results.recipe_check import PlannedRun, dry_runs


def ask_plan(
    catalogue: Catalogue,
    board: Leaderboard,
    engine: str,
    models: tuple[str, ...],
    assignments: tuple[str, ...],
    output: Path,
) -> dict[str, Any]:
    """What ``plan --json`` prints.

    Raises:
        EngineError: there is no engine, or the entrypoint refused or plans nothing.
    """
    code, lines = _ask(catalogue, board, engine, models, assignments, output, ("plan", "--json"))
    if code:
        raise EngineError(f"plan: ended with {code}: {_last(lines)}")
    try:
        # An engine's output is the log and the plan in one; the plan's braces stand alone in their lines.
        start = len(lines) - 1 - lines[::-1].index("{")
        document: dict[str, Any] = json.loads("\n".join(lines[start : lines.index("}", start) + 1]))
    except ValueError as error:
        raise EngineError(f"plan: ended with {code}: {_last(lines)}") from error
    return document


def ask_dry_run(
    catalogue: Catalogue,
    board: Leaderboard,
    engine: str,
    models: tuple[str, ...],
    assignments: tuple[str, ...],
    output: Path,
) -> list[PlannedRun]:
    """The runs that ``dry-run`` makes, with their instances.

    Raises:
        EngineError: there is no engine, or not every run could be constructed.
    """
    suite = gather_variables(models, assignments).get("SUITE_NAME", "my-suite")
    code, lines = _ask(catalogue, board, engine, models, assignments, output, ("dry-run",))
    folder = output / "dry_run" / "benchmark_output"
    if code not in (0, 3) or not (folder / "runs" / suite).is_dir():
        raise EngineError(f"dry-run: ended with {code}: {_last(lines)}")
    if code == 3:
        say("some runs could not be constructed; the rest are compared")
    return dry_runs(folder, suite)


def _ask(
    catalogue: Catalogue,
    board: Leaderboard,
    engine: str,
    models: tuple[str, ...],
    assignments: tuple[str, ...],
    output: Path,
    words: tuple[str, ...],
) -> tuple[int, list[str]]:
    variables = gather_variables(models, assignments, board)
    ready = choose.prepared_engine(engine, catalogue, board, say)
    chunks: list[bytes] = []
    code = ready.run(RunRequest(catalogue, board, words, variables, output), chunks.append)
    return code, b"".join(chunks).decode(errors="replace").splitlines()


def _last(lines: list[str]) -> str:
    ours = [line for line in lines if line.startswith("helm-repro: ")] or lines
    return ours[-1].removeprefix("helm-repro: ") if ours else "no output"
