"""``helm-repro status``: how far a submitted suite is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from helm_repro.catalogue import load_catalogue
from helm_repro.engines import clusters
from helm_repro.engines.submission import SUMMARIZE, read_submission
from helm_repro.inside.sharding import division


@click.command("status")
@click.argument("suite", default="my-suite")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@click.option("--json", "as_json", is_flag=True)
def command(suite: str, output: Path, as_json: bool) -> None:
    """Show the jobs of SUITE and how many of their runs are complete."""
    submission = read_submission(output, suite)
    states = clusters.cluster_of(submission, load_catalogue()).states(submission)
    found = division(submission.suite_path)
    count = submission.shards
    planned = Counter(found.shard_of(name, count) for name in found.runs)
    missing = Counter(found.shard_of(name, count) for name in found.missing)
    shards = [
        {
            "shard": index,
            "state": states.get(str(index), "ended"),
            "planned": planned[index],
            "complete": planned[index] - missing[index],
        }
        for index in range(count)
    ]
    summarized = (submission.suite_path / "schema.json").exists()
    record = {
        "suite": suite,
        "engine": submission.engine,
        "shards": shards,
        SUMMARIZE: states.get(SUMMARIZE, "ended"),
        "summarized": summarized,
        "missing": found.missing,
    }
    if as_json:
        click.echo(json.dumps(record, indent=1))
        return
    table = Table("Part", "State", "Complete", "Planned", box=None)
    for shard in shards:
        table.add_row(f"shard {shard['shard']}", *(str(shard[name]) for name in ("state", "complete", "planned")))
    table.add_row(SUMMARIZE, str(record[SUMMARIZE]), "yes" if summarized else "no", "")
    Console().print(table)
