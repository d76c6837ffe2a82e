"""``helm-repro upstream``: compare leaderboards with HELM's own files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.catalogue.upstream import Directory, Repository, Source, differences, is_ours
from helm_repro.errors import ConfigurationError
from helm_repro.inside.exit_codes import ExitCode


@click.command("upstream")
@click.argument("leaderboards", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every leaderboard that is HELM's.")
@click.option(
    "--from",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A checkout of HELM, or a folder with a subfolder per version; default: HELM's repository.",
)
def command(leaderboards: tuple[str, ...], everything: bool, directory: Optional[Path]) -> None:
    """Compare LEADERBOARDS with HELM's files at the pinned version; exit 7 if anything differs."""
    catalogue = load_catalogue()
    if everything == bool(leaderboards):
        raise ConfigurationError("LEADERBOARDS: name at least one, or --all")
    boards = [catalogue.leaderboard(name) for name in (catalogue.leaderboards if everything else leaderboards)]
    source: Source = Directory(directory) if directory else Repository()
    differing = compared = 0
    for board in boards:
        if is_ours(catalogue, board):
            if not everything:
                raise ConfigurationError(f"{board.id}: is not one of HELM's leaderboards")
            continue
        lines = differences(catalogue, board, source)
        compared += 1
        differing += bool(lines)
        version = catalogue.environment_of(board).helm_version
        entries = len(catalogue.entries(board))
        state = f"{len(lines)} differences" if lines else f"equal, {entries} entries"
        click.echo(f"{board.id}: {board.conf} and {board.schema_} of HELM {version}: {state}")
        for line in lines:
            click.echo(f"  {line}")
    click.echo(f"{compared - differing} of {compared} equal")
    sys.exit(ExitCode.DIFFERS if differing else ExitCode.OK)
