"""``helm-repro status``: how far a suite is."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from helm_repro.catalogue import load_catalogue
from helm_repro.engines import clusters
from helm_repro.engines.submission import SUMMARIZE, Submission, read_submission, record_path
from helm_repro.inside.suite.gaps import find_gaps
from helm_repro.inside.suite.identity import FILE_NAME as IDENTITY_FILE
from helm_repro.inside.suite.sharding import division

# A suite that is worked on beats every second (see ``suite_lock``).
_SECONDS_WITHOUT_BEAT = 10


@click.command("status")
@click.argument("suite", default="my-suite")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@click.option("--json", "as_json", is_flag=True)
def command(suite: str, output: Path, as_json: bool) -> None:
    """Show the jobs of SUITE and, where this machine sees the suite, how many of their runs are complete.

    A suite that was not submitted, but run on this machine, is shown as one shard.
    """
    suite_path = output / "benchmark_output" / "runs" / suite
    here = (suite_path / IDENTITY_FILE).exists() and not record_path(output, suite).exists()
    record = {"suite": suite, **(_run_here(suite_path) if here else _submitted(read_submission(output, suite)))}
    if as_json:
        click.echo(json.dumps(record, indent=1))
        return
    Console().print(_table(record))
    if record["elsewhere"]:
        click.echo(f"the suite is on {record['elsewhere']}; what it holds is not seen from here")


def _submitted(submission: Submission) -> dict[str, Any]:
    cluster = clusters.cluster_of(submission, load_catalogue())
    states = cluster.report(submission)
    elsewhere = cluster.elsewhere(submission)
    results = (
        _unknown(submission.shards)
        if elsewhere
        else _on_disk(submission.suite_path, submission.shards, submission.models)
    )
    return {"engine": submission.engine, **_with_states(results, states), "elsewhere": elsewhere}


def _run_here(suite_path: Path) -> dict[str, Any]:
    at_work = any(_beats(path) for path in suite_path.glob("*.lock"))
    results = _with_states(_on_disk(suite_path, 1), {"0": "running"} if at_work else {})
    # No job says whether it is being summarized, or is to be.
    return {"engine": None, **results, SUMMARIZE: None, "elsewhere": None}


def _beats(lock: Path) -> bool:
    # It is emptied at the end of the work.
    status = lock.stat()
    return status.st_size > 0 and time.time() - status.st_mtime < _SECONDS_WITHOUT_BEAT


def _with_states(results: Mapping[str, Any], states: Mapping[str, str]) -> dict[str, Any]:
    shards = [
        {"shard": index, "state": states.get(str(index), "ended"), **counts}
        for index, counts in enumerate(results["shards"])
    ]
    return {**results, "shards": shards, SUMMARIZE: states.get(SUMMARIZE, "ended")}


def _on_disk(suite_path: Path, count: int, models: Collection[str] = ()) -> dict[str, Any]:
    """What the suite in the output folder holds; no numbers before there is a plan for each of ``models``."""
    divided = division(suite_path)
    # Without shards there is no division, and the plan is in the journal. Reading a run twice is dear.
    gaps = find_gaps(suite_path, models, complete=divided.runs.keys() - set(divided.missing))
    planned = Counter(divided.shard_of(name, count) for name in gaps.planned)
    missing = Counter(divided.shard_of(name, count) for name in gaps.missing)
    counts = [{"planned": planned[i], "complete": planned[i] - missing[i]} for i in range(count)]
    return {
        **(
            _unknown(count)
            if not gaps.planned or {*models} & {*gaps.models}
            else {"shards": counts, "missing": gaps.missing}
        ),
        "summarized": (suite_path / "schema.json").exists(),
    }


def _unknown(count: int) -> dict[str, Any]:
    """The same fields where nothing is known of the runs."""
    shards = [{"planned": None, "complete": None} for _ in range(count)]
    return {"shards": shards, "summarized": None, "missing": None}


def _table(record: Mapping[str, Any]) -> Table:
    counted = () if record["elsewhere"] else ("complete", "planned")
    table = Table("Part", "State", *(name.capitalize() for name in counted), box=None)
    for shard in record["shards"]:
        table.add_row(f"shard {shard['shard']}", *(_cell(shard[name]) for name in ("state", *counted)))
    summarized = ("yes" if record["summarized"] else "no", "") if counted else ()
    table.add_row(SUMMARIZE, _cell(record[SUMMARIZE]), *summarized)
    return table


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
