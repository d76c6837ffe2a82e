"""``helm-repro new``: a leaderboard of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.catalogue.own import create

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("new")
@click.argument("identifier", metavar="ID")
@click.option("--conf", type=_FILE, required=True, help="Run entries, in HELM's format.")
@click.option("--schema", type=_FILE, required=True, help="Schema, in HELM's format.")
@click.option("--environment", default="helm-0.5.16", show_default=True, help="Folder of images/ that it runs in.")
@click.option("--title", default=None, help="Default: ID.")
@click.option("--summary", default=None, help="One sentence: what it measures.")
@click.option("--trials", default=1, show_default=True, help="NUM_TRAIN_TRIALS.")
@click.option("--instances", default=1000, show_default=True, help="MAX_EVAL_INSTANCES.")
@click.option("--priority", default=2, show_default=True, help="PRIORITY.")
def command(
    identifier: str,
    conf: Path,
    schema: Path,
    environment: str,
    title: Optional[str],
    summary: Optional[str],
    trials: int,
    instances: int,
    priority: int,
) -> None:
    """Add leaderboard ID to the catalogue, from your own conf and schema."""
    facts = {
        "title": title or identifier,
        "environment": environment,
        "num_train_trials": trials,
        "max_eval_instances": instances,
        "priority": priority,
        "summary": summary or f"The run entries of {conf.name}.",
    }
    folder = create(load_catalogue(), identifier, conf, schema, facts)
    click.echo(
        f"{folder}: written; `helm-repro show {identifier}` shows it, `make image LEADERBOARD={identifier}` builds it"
    )
