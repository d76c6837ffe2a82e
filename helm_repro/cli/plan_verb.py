"""``helm-repro plan``: what a leaderboard would run for a model, before anything is spent."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from helm_repro.cli.gpu_option import gpu_option
from helm_repro.cli.run_verb import ask_entrypoint
from helm_repro.engines import choose


@click.command("plan")
@click.argument("leaderboard")
@click.option("--model", "models", multiple=True, help="Model to plan for; repeat for several (MODELS_TO_RUN).")
@click.option("--json", "as_json", is_flag=True, help="Every run spec in full.")
@click.option("--engine", type=click.Choice(choose.NAMES), default="auto", show_default=True)
@click.option("-e", "assignments", multiple=True, metavar="NAME=VALUE", help="Variable for the entrypoint.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@gpu_option()
def command(
    leaderboard: str,
    models: tuple[str, ...],
    as_json: bool,
    engine: str,
    assignments: tuple[str, ...],
    output: Path,
    gpu: bool,
) -> None:
    """Print the run specs of LEADERBOARD, what is left out or unavailable, and totals."""
    words = ("plan", "--json") if as_json else ("plan",)
    sys.exit(ask_entrypoint(leaderboard, words, models, engine, assignments, output, gpu))
