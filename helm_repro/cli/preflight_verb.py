"""``helm-repro preflight``: what would stand in the way of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from helm_repro.cli.gpu_option import gpu_option
from helm_repro.cli.run_verb import ask_entrypoint
from helm_repro.engines import choose


@click.command("preflight")
@click.argument("leaderboard")
@click.option("--model", "models", multiple=True, help="Model to evaluate; repeat for several (MODELS_TO_RUN).")
@click.option("--engine", type=click.Choice(choose.NAMES), default="auto", show_default=True)
@click.option("-e", "assignments", multiple=True, metavar="NAME=VALUE", help="Variable for the entrypoint.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@gpu_option()
def command(
    leaderboard: str, models: tuple[str, ...], engine: str, assignments: tuple[str, ...], output: Path, gpu: bool
) -> None:
    """Check model, keys, judges, data and disk for LEADERBOARD; one line per problem."""
    sys.exit(ask_entrypoint(leaderboard, ("preflight",), models, engine, assignments, output, gpu))
