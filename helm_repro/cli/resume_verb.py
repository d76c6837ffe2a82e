"""``helm-repro resume``: submit again what a suite still lacks."""

from __future__ import annotations

import os
from pathlib import Path

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.cli.run_verb import gather_variables
from helm_repro.engines import clusters
from helm_repro.engines.submission import SUMMARIZE, read_submission, secrets_again


@click.command("resume")
@click.argument("suite", default="my-suite")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
def command(suite: str, output: Path) -> None:
    """Submit the shards of SUITE that did not finish, with the same variables.

    On Kubernetes every shard, as the suite lies on the cluster's volume; those that lack nothing end in seconds.

    Finished runs are never run again. Secrets are not recorded, so they must be in the environment.
    """
    submission = read_submission(output, suite)
    cluster = clusters.cluster_of(submission, load_catalogue())
    clusters.refuse_if_active(cluster, submission)
    elsewhere = cluster.elsewhere(submission)
    shards = list(range(submission.shards)) if elsewhere else clusters.unfinished_shards(submission)
    if not shards and (submission.suite_path / "schema.json").exists():
        click.echo(f"{suite}: nothing is missing")
        return
    # A variable that was given with -e may be one that nothing else takes from the environment.
    secrets = secrets_again(submission, {**os.environ, **gather_variables((), ())})
    # Every shard finished but nothing is summarized: one shard has nothing to do and ends at once.
    submission = submission.with_jobs(cluster.submit(submission, secrets, shards or [0]))
    submission.write()
    again = f"shards {', '.join(map(str, shards))} and {SUMMARIZE}" if shards else SUMMARIZE
    if elsewhere:
        again = f"every shard and {SUMMARIZE}; the suite is on {elsewhere}, where finished runs are not run again"
    click.echo(f"submitted {suite} again: {again}")
