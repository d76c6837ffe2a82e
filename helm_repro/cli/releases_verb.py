"""``helm-repro releases``: what Stanford published of a leaderboard, and where."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from helm_repro.catalogue import load_catalogue
from helm_repro.cli.published_options import latest_release, published_option, published_store
from helm_repro.results.layout import open_results
from helm_repro.results.store import NotPublished, published_base


@click.command("releases")
@click.argument("leaderboard")
@published_option
@click.option("--check", is_flag=True, help="Ask the storage whether each release is there.")
@click.option("--json", "as_json", is_flag=True)
def command(leaderboard: str, published: str | None, check: bool, as_json: bool) -> None:
    """List the published releases of LEADERBOARD; verify compares with the latest one."""
    catalogue = load_catalogue()
    board = catalogue.leaderboard(leaderboard)
    base = published_base(board, published)
    latest = latest_release(board)
    rows: list[dict[str, object]] = [
        {"release": name, "date": known, "latest": name == latest} for name, known in board.published.releases.items()
    ]
    if check:
        with published_store(catalogue, base) as store:
            for row in rows:
                try:
                    results = open_results(store, str(row["release"]))
                    row |= {"found": results.where, "runs": len(results.suites_by_run)}
                except NotPublished:
                    row |= {"found": None, "runs": None}
    if as_json:
        record = {"leaderboard": board.id, "address": base, "releases": rows}
        click.echo(json.dumps(record, indent=1, ensure_ascii=False))
        return
    table = Table("Release", "Known of it", *(("Runs", "Address") if check else ()), box=None)
    for row in rows:
        name = f"{row['release']} (latest)" if row["latest"] else str(row["release"])
        found = (str(row["runs"] or "none"), str(row["found"] or "not found")) if check else ()
        table.add_row(name, str(row["date"]), *found)
    click.echo(f"{board.title}: {base}")
    Console(width=None if Console().is_terminal else 200).print(table)
