"""``helm-repro bake``: the build definition that images are made from."""

from __future__ import annotations

import dataclasses
import json

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.cli.gpu_option import gpu_option
from helm_repro.images.definition import Options, definition


@click.command("bake")
@click.argument("leaderboards", nargs=-1)
@click.option("--print", "print_it", is_flag=True, help="Print it (the default; there is nothing else to do).")
@gpu_option("Their gpu flavours.")
def command(leaderboards: tuple[str, ...], print_it: bool, gpu: bool) -> None:
    """Print the `docker buildx bake` definition of LEADERBOARDS (default: all)."""
    catalogue = load_catalogue()
    ids = [catalogue.leaderboard(identifier).id for identifier in leaderboards] or list(catalogue.leaderboards)
    options = dataclasses.replace(Options.from_environment(), gpu=gpu)
    click.echo(json.dumps(definition(catalogue, ids, options), indent=1))
