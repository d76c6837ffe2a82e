"""``helm-repro docs``: rewrite the generated parts of the documentation."""

from __future__ import annotations

import sys

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.docs import generated, leftovers
from helm_repro.inside.exit_codes import ExitCode


@click.command("docs")
@click.option("--check", is_flag=True, help="Change nothing; exit 7 if a part is out of date.")
def command(check: bool) -> None:
    """Write the tables of README and the leaderboards' pages from the catalogue."""
    catalogue = load_catalogue()
    stale = leftovers(catalogue)
    if not check:
        for name in stale:
            (catalogue.root / name).unlink()
    for name, text in generated(catalogue).items():
        path = catalogue.root / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        click.echo(f"{name}: {'out of date' if check else 'rewritten'}", err=True)
    sys.exit(ExitCode.DIFFERS if stale and check else ExitCode.OK)
