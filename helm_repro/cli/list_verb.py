"""``helm-repro list``: every leaderboard of the catalogue."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from helm_repro.catalogue import load_catalogue


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="All fields, as a JSON list.")
def command(as_json: bool) -> None:
    """List the leaderboards."""
    boards = load_catalogue().leaderboards.values()
    if as_json:
        click.echo(json.dumps([board.model_dump(mode="json", by_alias=True) for board in boards], indent=1))
        return
    table = Table("ID", "Title", "Environment", "Trials", "Instances", "Priority", "Status", box=None)
    for board in boards:
        table.add_row(
            board.id,
            board.title,
            board.environment,
            str(board.num_train_trials),
            str(board.max_eval_instances),
            str(board.priority),
            board.status,
        )
    Console().print(table)
