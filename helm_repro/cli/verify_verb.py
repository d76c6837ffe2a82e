"""``helm-repro verify``: was the leaderboard reproduced? Before and after spending money."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Optional

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.cli import published_options as options
from helm_repro.cli.ask_entrypoint import ask_dry_run, ask_plan
from helm_repro.cli.verdict_table import print_checks, print_verification
from helm_repro.engines import choose
from helm_repro.errors import ConfigurationError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.results import tables
from helm_repro.results.judges import replaced
from helm_repro.results.layout import Results
from helm_repro.results.recipe_check import RecipeCheck, check_recipes, planned_runs
from helm_repro.results.suite_record import read_suite_record
from helm_repro.results.verdicts import Verdict
from helm_repro.results.verification import verify


@click.command("verify")
@click.argument("leaderboard")
@click.option("--suite", default="my-suite", show_default=True, help="Suite in the output folder, or a path to one.")
@click.option("--model", "models", multiple=True, help="Only this model; repeat for several.")
@options.alias_option
@options.release_option
@options.published_option
@options.output_option
@click.option("--recipe", is_flag=True, help="Compare run specs only: needs no keys and costs nothing.")
@click.option("--plan", type=click.Path(path_type=Path), help="With --recipe: output of `plan --json` to compare.")
@click.option("--instances", is_flag=True, help="Like --recipe, and compare the instances that would be asked.")
@click.option("--engine", type=click.Choice(choose.NAMES), default="auto", show_default=True)
@click.option("-e", "assignments", multiple=True, metavar="NAME=VALUE", help="Variable for the entrypoint.")
@options.confidence_option
@options.fail_on_option
@click.option("--json", "as_json", is_flag=True)
def command(
    leaderboard: str,
    suite: str,
    models: tuple[str, ...],
    aliases: tuple[str, ...],
    release: Optional[str],
    published: Optional[str],
    output: Path,
    recipe: bool,
    plan: Optional[Path],
    instances: bool,
    engine: str,
    assignments: tuple[str, ...],
    confidence: float,
    fail_on: str,
    as_json: bool,
) -> None:
    """Compare a suite of LEADERBOARD with Stanford's published results.

    With --recipe or --instances nothing needs to have been run yet.
    """
    catalogue = load_catalogue()
    board = catalogue.leaderboard(leaderboard)
    failing = options.parse_fail_on(fail_on)
    renamed = options.parse_aliases(aliases)
    with options.published_results(catalogue, board, published, release) as results:
        if recipe or instances or plan:
            if instances:
                planned = ask_dry_run(catalogue, board, engine, models, assignments, output)
            else:
                planned = planned_runs(
                    _read_plan(plan) if plan else ask_plan(catalogue, board, engine, models, assignments, output)
                )
            if not planned:
                raise ConfigurationError("--plan: holds no run; there is nothing to compare")
            checks = check_recipes(planned, results, renamed)
            _show_checks(checks, results, as_json)
            found = {check.judgement.verdict for check in checks if check.judgement}
        else:
            ours = options.own_suite(output, suite)
            record = read_suite_record(options.suite_path(ours))
            judges = replaced(record.substitutes, board.judges)
            outcome = verify(ours, results, models, renamed, board, record.failures, confidence, replaced=judges)
            if not outcome.scenarios:
                raise ConfigurationError(f"SUITE {suite}: holds no run that the schema shows")
            if as_json:
                document = {"leaderboard": board.id, **record.marks(), **tables.as_json(outcome)}
                click.echo(json.dumps(document, indent=1, ensure_ascii=False))
            else:
                print_verification(outcome, record.partial)
            found = set(outcome.counts())
    sys.exit(exit_code(found, failing))


def exit_code(found: set[Verdict], failing: set[Verdict]) -> ExitCode:
    """7 if a verdict that must not occur does."""
    return ExitCode.DIFFERS if found & failing else ExitCode.OK


def _read_plan(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"--plan {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"--plan {path}: not JSON ({error})") from error
    return document if isinstance(document, dict) else {}


def _show_checks(checks: list[RecipeCheck], results: Results, as_json: bool) -> None:
    if not as_json:
        print_checks(checks, results)
        return
    document = {
        "release": results.name,
        "published": results.where,
        "runs": [
            {
                "run": check.run,
                "published_run": check.published_run,
                "result": check.label,
                "reason": check.reason,
                "recipe": [
                    {"kind": item.kind, "field": item.field, "ours": item.ours, "published": item.published}
                    for item in check.recipe
                ],
                "instance_check": check.instances and check.instances.describe(),
            }
            for check in checks
        ],
    }
    click.echo(json.dumps(document, indent=1, ensure_ascii=False))
