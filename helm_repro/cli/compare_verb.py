"""``helm-repro compare``: two suites against each other: two models, two weeks, two engines."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.catalogue.models import Judge
from helm_repro.cli import published_options as options
from helm_repro.cli.verdict_table import print_verification
from helm_repro.cli.verify_verb import exit_code
from helm_repro.errors import ConfigurationError
from helm_repro.results import tables
from helm_repro.results.judges import replaced
from helm_repro.results.layout import Results
from helm_repro.results.matching import models_of
from helm_repro.results.report import write_report
from helm_repro.results.report_data import report_data
from helm_repro.results.suite_record import SuiteRecord, read_suite_record
from helm_repro.results.verification import verify


@click.command("compare")
@click.argument("suite_a")
@click.argument("suite_b")
@click.option("--model", "models", multiple=True, help="Only this model of SUITE_A; repeat for several.")
@click.option("--as", "aliases", multiple=True, metavar="A=B", help="Compare this model of A with that one of B.")
@options.output_option
@options.confidence_option
@options.fail_on_option
@click.option("--to", "directory", type=click.Path(path_type=Path), help="Folder to write a report to as well.")
@click.option("--json", "as_json", is_flag=True)
def command(
    suite_a: str,
    suite_b: str,
    models: tuple[str, ...],
    aliases: tuple[str, ...],
    output: Path,
    confidence: float,
    fail_on: str,
    directory: Optional[Path],
    as_json: bool,
) -> None:
    """Compare SUITE_A with SUITE_B: names in the output folder, or paths to suite folders.

    Two suites of one model each are compared even if the models differ.
    """
    failing = options.parse_fail_on(fail_on)
    a, b = options.own_suite(output, suite_a), options.own_suite(output, suite_b)
    records = [read_suite_record(options.suite_path(suite)) for suite in (a, b)]
    of_a, of_b = (replaced(record.substitutes, _judges(record)) for record in records)
    outcome = verify(
        *(a, b, models, _aliases(a, b, aliases), None, records[0].failures, confidence),
        # The same substitute on both sides is the same judge.
        replaced=of_a ^ of_b,
    )
    if not outcome.scenarios:
        raise ConfigurationError(f"SUITE_A {suite_a}: holds no run that the schema shows")
    labels = (a.name, b.name) if a.name != b.name else ("A", "B")
    partial = [f"{label}: {why}" for label, record in zip(labels, records, strict=True) for why in record.partial]
    if as_json:
        suites = [{"suite": suite.name, **record.marks()} for suite, record in zip((a, b), records, strict=True)]
        click.echo(json.dumps({"suites": suites, **tables.as_json(outcome)}, indent=1, ensure_ascii=False))
    else:
        print_verification(outcome, partial, *labels)
    if directory:
        both = dataclasses.replace(records[0], partial=tuple(partial))
        for path in write_report(report_data(outcome, both, None, *labels), directory):
            click.echo(path, err=True)
    sys.exit(exit_code(set(outcome.counts()), failing))


def _judges(record: SuiteRecord) -> Sequence[Judge]:
    """Those of the leaderboard that the suite says it is of; none if the catalogue has no such one any more."""
    board = load_catalogue().leaderboards.get(record.leaderboard or "")
    return board.judges if board else ()


def _aliases(a: Results, b: Results, pairs: tuple[str, ...]) -> dict[str, str]:
    given = options.parse_aliases(pairs)
    here, there = models_of(a.suites_by_run), models_of(b.suites_by_run)
    if not given and len(here) == len(there) == 1:
        return {here[0]: there[0]}
    return given
