"""Verdicts in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from helm_repro.results.layout import Results
from helm_repro.results.recipe_check import RecipeCheck
from helm_repro.results.tables import number, percent, span
from helm_repro.results.verdicts import Judgement, Verdict
from helm_repro.results.verification import Verification

_STYLES = {
    Verdict.REPRODUCED: "green",
    Verdict.WITHIN_NOISE: "cyan",
    Verdict.DRIFTED: "red",
    Verdict.RECIPE_DIFFERS: "magenta",
    Verdict.NOT_COMPARABLE: "dim",
}


def print_verification(
    result: Verification, partial: Sequence[str] = (), ours: str = "Ours", published: str = "Published"
) -> None:
    """One line per scenario, then the reasons of those that were not reproduced."""
    click.echo(f"{result.ours.name} against {result.published.where}")
    for reason in partial:
        click.echo(f"PARTIAL SUITE: {reason}")
    several = len(result.models) > 1
    columns = ("Scenario", "Metric", ours, published, "Difference", f"{result.confidence:.0%} interval", "Agreement")
    table = Table(*(("Model",) if several else ()), *columns, "Verdict", box=None, pad_edge=False)
    for scenario in result.scenarios:
        table.add_row(
            *((scenario.model,) if several else ()),
            scenario.headline.title,
            scenario.headline.metric,
            number(scenario.ours),
            number(scenario.published),
            number(scenario.difference, signed=True),
            span(scenario.interval),
            percent(scenario.agreement),
            _verdict(scenario.judgement),
        )
    _console().print(table)
    told = [s for s in result.scenarios if s.judgement.verdict.severity > Verdict.WITHIN_NOISE.severity]
    if told:
        click.echo("\nReasons:")
    for scenario in told:
        name = f"{scenario.model} · {scenario.headline.title}" if several else scenario.headline.title
        click.echo(f"  {name}: {scenario.judgement.label}: {scenario.judgement.reason}")
    if result.unmatched:
        shown = ", ".join(result.unmatched[:3]) + (", …" if len(result.unmatched) > 3 else "")
        click.echo(f"\n{len(result.unmatched)} published runs have no counterpart here: {shown}")
    if result.skipped:
        click.echo(f"{len(result.skipped)} runs belong to no scenario of the schema: {', '.join(result.skipped[:3])}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in result.counts().items())
    click.echo(f"\n{len(result.scenarios)} scenarios: {counts}")


def print_checks(checks: Sequence[RecipeCheck], results: Results) -> None:
    """One line per run, then the differences."""
    click.echo(f"planned runs against {results.where}")
    table = Table("Run", "Result", box=None, pad_edge=False)
    for check in checks:
        table.add_row(check.run, _verdict(check.judgement) if check.judgement else Text(check.label, "green"))
    _console().print(table)
    told = [check for check in checks if check.reason]
    if told:
        click.echo("\nDetails:")
    for check in told:
        click.echo(f"  {check.run}: {check.reason}")
    good = sum(check.judgement is None for check in checks)
    click.echo(f"\n{len(checks)} runs: {good} comparable, {len(checks) - good} not")


def _verdict(judgement: Judgement) -> Text:
    return Text(judgement.label, _STYLES[judgement.verdict])


def _console() -> Console:
    console = Console()
    # A pipe has no width: there the table must not be cut to 80 columns.
    return console if console.is_terminal else Console(width=200)
