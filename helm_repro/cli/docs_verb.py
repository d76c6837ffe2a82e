"""``helm-repro docs``: rewrite the generated parts of the documentation."""

from __future__ import annotations

import sys

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.docs import FILES, regenerate
from helm_repro.inside.exit_codes import ExitCode


@click.command("docs")
@click.option("--check", is_flag=True, help="Change nothing; exit 7 if a part is out of date.")
def command(check: bool) -> None:
    """Write the tables of README and docs from the catalogue."""
    catalogue = load_catalogue()
    stale = []
    for name in FILES:
        path = catalogue.root / name
        text = path.read_text(encoding="utf-8")
        new = regenerate(text, catalogue, path)
        if new != text:
            stale.append(name)
            if not check:
                path.write_text(new, encoding="utf-8")
    for name in stale:
        click.echo(f"{name}: {'out of date' if check else 'rewritten'}", err=True)
    sys.exit(ExitCode.DIFFERS if stale and check else ExitCode.OK)
