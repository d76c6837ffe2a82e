"""``helm-repro base-image``: a base image made from Debian packages."""

from __future__ import annotations

import click

from helm_repro.images.base_image import BASE_IMAGE_TAG, make_base_image


@click.command("base-image")
@click.option("--tag", default=BASE_IMAGE_TAG, show_default=True)
@click.option("--suite", default="bookworm", show_default=True, help="Debian release.")
@click.option("--mirror", default=None, help="Debian mirror; default: debootstrap's.")
def command(tag: str, suite: str, mirror: str | None) -> None:
    """Make the base image without a registry (needs root and debootstrap)."""
    click.echo(make_base_image(tag, suite, mirror))
