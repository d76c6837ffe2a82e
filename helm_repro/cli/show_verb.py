"""``helm-repro show``: everything the catalogue knows of one leaderboard."""

from __future__ import annotations

import json
from typing import Any

import click
import yaml

from helm_repro.catalogue import load_catalogue

# What of its environment decides which HELM evaluates.
_PIN = ("helm_version", "helm_commit", "helm_release_date", "python")


@click.command("show")
@click.argument("leaderboard")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the environment and every run entry.")
def command(leaderboard: str, as_json: bool) -> None:
    """Show one LEADERBOARD: parameters, pin, judges, keys, data, caveats."""
    catalogue = load_catalogue()
    board = catalogue.leaderboard(leaderboard)
    entries = catalogue.entries(board)
    record = board.model_dump(mode="json", by_alias=True)
    environment = catalogue.environment_of(board)
    record["gpu_environment"] = environment.id if environment.torch else environment.gpu
    record = _after(record, "environment", {name: str(getattr(environment, name)) for name in _PIN})
    if as_json:
        record["environment_record"] = environment.model_dump(mode="json")
        record["entries"] = [entry.model_dump(mode="json") for entry in entries]
        click.echo(json.dumps(record, indent=1, ensure_ascii=False))
        return
    record["entries"] = f"{len(entries)}, of which {_selected(entries, board.priority)} up to priority {board.priority}"
    filled = {name: value for name, value in record.items() if value not in (None, [], {})}
    click.echo(yaml.safe_dump(filled, sort_keys=False, allow_unicode=True, width=110), nl=False)


def _after(record: dict[str, Any], key: str, added: dict[str, Any]) -> dict[str, Any]:
    """The record with further fields behind one of its own."""
    place = list(record).index(key) + 1
    items = list(record.items())
    return dict([*items[:place], *added.items(), *items[place:]])


def _selected(entries: list, priority: int) -> int:  # type: ignore[type-arg]
    return sum(entry.priority is None or entry.priority <= priority for entry in entries)
