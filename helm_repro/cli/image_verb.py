"""``helm-repro image``: build the images of leaderboards."""

from __future__ import annotations

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.errors import ConfigurationError
from helm_repro.images.bake import build


@click.command("image")
@click.argument("leaderboards", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every leaderboard of the catalogue.")
def command(leaderboards: tuple[str, ...], everything: bool) -> None:
    """Build helm-repro:ID for each of LEADERBOARDS."""
    catalogue = load_catalogue()
    if everything == bool(leaderboards):
        raise ConfigurationError("LEADERBOARDS: name at least one, or --all")
    for name in build(catalogue, catalogue.leaderboards if everything else leaderboards):
        click.echo(name)
