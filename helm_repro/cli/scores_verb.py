"""``helm-repro scores``: the scores of a summarised suite."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from helm_repro.results.scores import read_scores
from helm_repro.results.suite_record import read_suite_record


def print_scores(suite_path: Path) -> None:
    """Write a table with one line per run."""
    table = Table("Run", "Group", "Metric", "Split", "Score", "Instances", box=None)
    # In a narrow terminal a name goes on in the next line; cut, runs could not be told apart.
    for shown in table.columns:
        shown.overflow = "fold"
    for column in (4, 5):
        table.columns[column].justify = "right"
    for score in read_scores(suite_path):
        value = "none" if score.value is None else f"{score.value:.3f}"
        table.add_row(score.run, score.group, score.metric, score.split, value, str(score.instances or ""))
    console = Console()
    # A pipe has no width: there the table must not be cut to 80 columns.
    Console(width=None if console.is_terminal else 200).print(table)
    record = read_suite_record(suite_path)
    if record.partial:
        runs = f"{record.counts[0]} of {record.counts[1]} runs; " if record.counts else ""
        click.echo(f"not the whole leaderboard: {runs}{'; '.join(record.partial)}")


@click.command("scores")
@click.argument("suite", default="my-suite")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@click.option("--json", "as_json", is_flag=True)
def command(suite: str, output: Path, as_json: bool) -> None:
    """Print the scores of SUITE in the results folder."""
    suite_path = output / "benchmark_output" / "runs" / suite
    if as_json:
        scores = [dataclasses.asdict(score) for score in read_scores(suite_path)]
        document = {"suite": suite_path.name, **read_suite_record(suite_path).marks(), "scores": scores}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        print_scores(suite_path)
