"""``helm-repro``: one file per verb, found by name in this folder."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Optional

import click

import helm_repro
from helm_repro.errors import HelmReproError
from helm_repro.inside.exit_codes import ExitCode

VERBS = (
    "list",
    "show",
    "plan",
    "warm",
    "preflight",
    "run",
    "serve",
    "scores",
    "bake",
    "image",
    "base-image",
    "lock",
    "docs",
    "releases",
    "verify",
    "report",
    "compare",
    "submit",
    "status",
    "logs",
    "cancel",
    "resume",
    "merge",
    "upstream",
    "new",
)


class Verbs(click.Group):
    """Loads a verb's module when it is used, so that ``--help`` is quick."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> Optional[click.Command]:
        if name not in VERBS:
            return None
        module = importlib.import_module(f"helm_repro.cli.{name.replace('-', '_')}_verb")
        command: click.Command = module.command
        return command


@click.command(cls=Verbs)
@click.version_option(helm_repro.__version__, prog_name="helm-repro")
def verbs() -> None:
    """Reproduce HELM leaderboards: one image per leaderboard, one command per score."""


def main(arguments: Optional[list[str]] = None) -> Any:
    """The console command: what the user can mend, files among it, becomes one line and an exit code."""
    try:
        return verbs.main(args=arguments, prog_name="helm-repro", standalone_mode=True)
    except HelmReproError as error:
        click.echo(f"helm-repro: error {error}", err=True)
        sys.exit(int(error.exit_code))
    except OSError as error:
        # Without a path nobody could mend it: then the traceback says more.
        if not error.filename:
            raise
        click.echo(f"helm-repro: error {error.filename}: {error.strerror or error}", err=True)
        sys.exit(int(ExitCode.CONFIGURATION))
