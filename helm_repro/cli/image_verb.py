"""``helm-repro image``: build the images of leaderboards."""

from __future__ import annotations

import dataclasses

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.cli.gpu_option import gpu_option
from helm_repro.errors import ConfigurationError
from helm_repro.images.bake import build
from helm_repro.images.definition import Options


@click.command("image")
@click.argument("leaderboards", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every leaderboard of the catalogue.")
@gpu_option("Build the gpu flavour, helm-repro:ID-gpu: PyTorch for CUDA, about 5 GB.")
def command(leaderboards: tuple[str, ...], everything: bool, gpu: bool) -> None:
    """Build helm-repro:ID for each of LEADERBOARDS."""
    catalogue = load_catalogue()
    if everything == bool(leaderboards):
        raise ConfigurationError("LEADERBOARDS: name at least one, or --all")
    options = dataclasses.replace(Options.from_environment(), gpu=gpu)
    for name in build(catalogue, catalogue.leaderboards if everything else leaderboards, options):
        click.echo(name)
