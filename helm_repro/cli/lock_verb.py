"""``helm-repro lock``: resolve an environment's dependencies."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.errors import ConfigurationError
from helm_repro.images.lock import check_lock, lock
from helm_repro.inside.exit_codes import ExitCode


@click.command("lock")
@click.argument("environments", nargs=-1)
@click.option("--constraints", type=click.Path(path_type=Path), help="HELM's freeze of that version.")
@click.option("--check", is_flag=True, help="Resolve nothing; exit 7 if a lock does not match its environment.yaml.")
def command(environments: tuple[str, ...], constraints: Path | None, check: bool) -> None:
    """Write requirements.lock of ENVIRONMENTS (with --check: default all)."""
    catalogue = load_catalogue()
    unknown = [name for name in environments if name not in catalogue.environments]
    if unknown:
        raise ConfigurationError(f"ENVIRONMENT={unknown[0]}: unknown, allowed: {', '.join(catalogue.environments)}")
    if check:
        problems = [
            problem
            for name in environments or catalogue.environments
            for problem in check_lock(catalogue.environments[name], catalogue.root)
        ]
        for problem in problems:
            click.echo(str(problem), err=True)
        sys.exit(ExitCode.DIFFERS if problems else ExitCode.OK)
    if not environments or constraints is None:
        raise ConfigurationError("ENVIRONMENT and --constraints: both are needed to write a lock")
    for name in environments:
        click.echo(lock(catalogue.environments[name], catalogue.root, constraints))
