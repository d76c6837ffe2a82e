"""``helm-repro warm``: fill a cache with all that a leaderboard needs, for a run without a network."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from helm_repro.cli.gpu_option import gpu_option
from helm_repro.cli.run_verb import ask_entrypoint
from helm_repro.engines import choose


@click.command("warm")
@click.argument("leaderboard")
@click.option("--model", "models", multiple=True, help="Model to run later; repeat for several (MODELS_TO_RUN).")
@click.option("--engine", type=click.Choice(choose.NAMES), default="auto", show_default=True)
@click.option("-e", "assignments", multiple=True, metavar="NAME=VALUE", help="Variable for the entrypoint.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
@gpu_option()
def command(
    leaderboard: str, models: tuple[str, ...], engine: str, assignments: tuple[str, ...], output: Path, gpu: bool
) -> None:
    """Download data, tokenizers and NLTK's data of LEADERBOARD below the output folder.

    Nothing is asked of a model. Afterwards the same folder serves runs with -e OFFLINE=1; what it
    holds is listed in prod_env/datasets.lock.
    """
    sys.exit(ask_entrypoint(leaderboard, ("warm",), models, engine, assignments, output, gpu))
