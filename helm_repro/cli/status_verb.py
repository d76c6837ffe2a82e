"""``helm-repro status``: how far a submitted suite is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from helm_repro.catalogue import load_catalogue
from helm_repro.engines import clusters
from helm_repro.engines.submission import SUMMARIZE, Submission, read_submission
from helm_repro.inside.suite.sharding import division


@click.command("status")
@click.argument("suite", default="my-suite")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@click.option("--json", "as_json", is_flag=True)
def command(suite: str, output: Path, as_json: bool) -> None:
    """Show the jobs of SUITE and, where this machine sees the suite, how many of their runs are complete."""
    submission = read_submission(output, suite)
    cluster = clusters.cluster_of(submission, load_catalogue())
    states = cluster.report(submission)
    elsewhere = cluster.elsewhere(submission)
    results = _unknown(submission) if elsewhere else _on_disk(submission)
    shards = [
        {"shard": index, "state": states.get(str(index), "ended"), **counts}
        for index, counts in enumerate(results.pop("shards"))
    ]
    record = {
        "suite": suite,
        "engine": submission.engine,
        "shards": shards,
        SUMMARIZE: states.get(SUMMARIZE, "ended"),
        **results,
        "elsewhere": elsewhere,
    }
    if as_json:
        click.echo(json.dumps(record, indent=1))
        return
    Console().print(_table(record))
    if elsewhere:
        click.echo(f"the suite is on {elsewhere}; what it holds is not seen from here")


def _on_disk(submission: Submission) -> dict[str, Any]:
    """What the suite in the output folder holds."""
    found = division(submission.suite_path)
    count = submission.shards
    planned = Counter(found.shard_of(name, count) for name in found.runs)
    missing = Counter(found.shard_of(name, count) for name in found.missing)
    return {
        "shards": [{"planned": planned[i], "complete": planned[i] - missing[i]} for i in range(count)],
        "summarized": (submission.suite_path / "schema.json").exists(),
        "missing": found.missing,
    }


def _unknown(submission: Submission) -> dict[str, Any]:
    """The same fields for a suite that cannot be read from here."""
    shards = [{"planned": None, "complete": None} for _ in range(submission.shards)]
    return {"shards": shards, "summarized": None, "missing": None}


def _table(record: Mapping[str, Any]) -> Table:
    counted = () if record["elsewhere"] else ("complete", "planned")
    table = Table("Part", "State", *(name.capitalize() for name in counted), box=None)
    for shard in record["shards"]:
        table.add_row(f"shard {shard['shard']}", *(str(shard[name]) for name in ("state", *counted)))
    summarized = ("yes" if record["summarized"] else "no", "") if counted else ()
    table.add_row(SUMMARIZE, str(record[SUMMARIZE]), *summarized)
    return table
