"""``helm-repro cancel``: end the jobs of a submitted suite."""

from __future__ import annotations

from pathlib import Path

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.engines import clusters
from helm_repro.engines.submission import read_submission


@click.command("cancel")
@click.argument("suite", default="my-suite")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
def command(suite: str, output: Path) -> None:
    """Cancel the jobs of SUITE and wait until none is left. Results stay; `resume` continues."""
    submission = read_submission(output, suite)
    clusters.cluster_of(submission, load_catalogue()).cancel(submission)
    click.echo(f"cancelled {suite}")
