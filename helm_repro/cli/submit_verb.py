"""``helm-repro submit``: hand a leaderboard to a cluster, in shards."""

from __future__ import annotations

from pathlib import Path

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.cli.gpu_option import chosen_board, gpu_option
from helm_repro.cli.run_verb import gather_variables
from helm_repro.engines import clusters
from helm_repro.engines.submission import Submission, record_path, split_secrets
from helm_repro.errors import ConfigurationError
from helm_repro.inside.inputs.settings import NEW_SUITE, REFUSED_IN_SHARDS

_DEFAULT_SUITE = "my-suite"


@click.command("submit")
@click.argument("leaderboard")
@click.option("--model", "models", multiple=True, help="Model to evaluate; repeat for several (MODELS_TO_RUN).")
@click.option("--engine", type=click.Choice(clusters.NAMES), required=True)
@click.option(
    "--shards", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Jobs that share the work."
)
@click.option("-e", "assignments", multiple=True, metavar="NAME=VALUE", help="Variable for the entrypoint.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@click.option("--image", default=None, help="Container image; without it Slurm uses the local environment.")
@gpu_option("Use the gpu flavour, and a GPU for each shard.")
@click.option(
    "--option",
    "options",
    multiple=True,
    help="For Slurm an option of sbatch (--option=--partition=long); for Kubernetes NAME=VALUE with secret, namespace, "
    "claim, storage, storage-class, cpu, memory, gpus, schedule. Repeat.",
)
@click.option("--dry-run", is_flag=True, help="Print the Kubernetes objects as YAML and change nothing.")
def command(
    leaderboard: str,
    models: tuple[str, ...],
    engine: str,
    shards: int,
    assignments: tuple[str, ...],
    output: Path,
    image: str | None,
    gpu: bool,
    options: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Submit LEADERBOARD: a job with one task per shard, and one that summarizes after them.

    For Slurm the output folder must be on a file system that all nodes share. Then `helm-repro status`,
    `logs`, `cancel` and `resume` with the suite's name.
    """
    catalogue = load_catalogue()
    board = chosen_board(catalogue, leaderboard, gpu)
    data = board.data_variables
    given = clusters.variables_there(engine, gather_variables(models, assignments, board), data)
    variables, secrets = split_secrets(given, data)
    suite = variables.setdefault("SUITE_NAME", _DEFAULT_SUITE)
    for name in ("STAGES", "SHARD_INDEX", "SHARD_COUNT"):
        variables.pop(name, None)
    if not variables.get("MODELS_TO_RUN"):
        raise ConfigurationError("MODELS_TO_RUN=: must name a model; use --model")
    if variables.get("RESUME", "").strip() == NEW_SUITE:
        # Also for one shard: summarizing is another job, which looks for the suite by the old name.
        raise ConfigurationError(f"RESUME={NEW_SUITE}: {REFUSED_IN_SHARDS}")
    submission = Submission(
        leaderboard=board.id,
        engine=engine,
        suite=suite,
        shards=shards,
        variables=variables,
        secrets=sorted(secrets),
        output=output.absolute(),
        image=image,
        gpu=gpu,
        options=options,
    )
    if dry_run:
        click.echo(clusters.as_text(submission), nl=False)
        return
    cluster = clusters.cluster_of(submission, catalogue)
    clusters.refuse_if_submitted(submission.output, suite, catalogue)
    # Jobs without a record could not be cancelled.
    record_path(submission.output, suite).parent.mkdir(parents=True, exist_ok=True)
    submission = submission.with_jobs(cluster.submit(submission, secrets, range(shards)))
    submission.write()
    click.echo(f"submitted {suite}: {', '.join(f'{stage} {job}' for stage, job in submission.jobs.items())}")
