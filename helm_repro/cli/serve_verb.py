"""``helm-repro serve``: HELM's web page for a suite that was summarised."""

from __future__ import annotations

from pathlib import Path

import click

from helm_repro.cli.run_verb import command as run_command
from helm_repro.engines import choose


@click.command("serve")
@click.argument("leaderboard", default="smoke")
@click.option("--suite", default="my-suite", show_default=True)
@click.option("--engine", type=click.Choice(choose.NAMES), default="auto", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@click.option("--publish", default="127.0.0.1:8000", show_default=True, help="Address to listen on.")
@click.pass_context
def command(context: click.Context, leaderboard: str, suite: str, engine: str, output: Path, publish: str) -> None:
    """Serve SUITE at http://localhost:8000 until interrupted."""
    click.echo(f"helm-repro: serving on http://{publish.replace('127.0.0.1', 'localhost')}/", err=True)
    context.invoke(
        run_command,
        leaderboard=leaderboard,
        engine=engine,
        stages="server",
        assignments=(f"SUITE_NAME={suite}",),
        output=output,
        publish=publish,
    )
