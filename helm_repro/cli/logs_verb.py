"""``helm-repro logs``: what the jobs of a submitted suite have written."""

from __future__ import annotations

from pathlib import Path

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.engines import clusters
from helm_repro.engines.submission import SUMMARIZE, read_submission
from helm_repro.errors import ConfigurationError


@click.command("logs")
@click.argument("suite", default="my-suite")
@click.argument("part", required=False)
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
def command(suite: str, part: str | None, output: Path) -> None:
    """Print the logs of SUITE: of PART (a shard's number or "summarize"), or of all parts."""
    submission = read_submission(output, suite)
    cluster = clusters.cluster_of(submission, load_catalogue())
    parts = [*map(str, range(submission.shards)), SUMMARIZE]
    if part is not None and part not in parts:
        raise ConfigurationError(f"PART={part}: allowed: {', '.join(parts)}")
    for one in parts if part is None else (part,):
        for line in cluster.logs(submission, one):
            click.echo(line if part is not None else f"{clusters.name(one)}: {line}")
