"""``helm-repro report``: one page that says whether a suite reproduces the leaderboard, and shows it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Optional

import click

from helm_repro.catalogue import load_catalogue
from helm_repro.cli import published_options as options
from helm_repro.errors import ConfigurationError
from helm_repro.results.judges import replaced
from helm_repro.results.layout import NothingPublished, Results
from helm_repro.results.report import write_report
from helm_repro.results.report_data import report_data
from helm_repro.results.suite_record import read_suite_record
from helm_repro.results.verification import verify


@click.command("report")
@click.argument("suite", default="my-suite")
@click.option("--leaderboard", default=None, help="Leaderboard of the suite [default: what its records say].")
@click.option("--model", "models", multiple=True, help="Only this model; repeat for several.")
@options.alias_option
@options.release_option
@options.published_option
@options.output_option
@options.confidence_option
@click.option("--alone", is_flag=True, help="Compare with nothing: only the suite's own scores.")
@click.option("--to", "directory", type=click.Path(path_type=Path), help="Folder to write [OUTPUT/reports/SUITE].")
def command(
    suite: str,
    leaderboard: Optional[str],
    models: tuple[str, ...],
    aliases: tuple[str, ...],
    release: Optional[str],
    published: Optional[str],
    output: Path,
    confidence: float,
    alone: bool,
    directory: Optional[Path],
) -> None:
    """Write index.html, report.md and report.csv about SUITE against the published results."""
    ours = options.own_suite(output, suite)
    record = read_suite_record(options.suite_path(ours))
    catalogue = load_catalogue()
    name = leaderboard or record.leaderboard
    board = catalogue.leaderboard(name) if name else None
    with contextlib.ExitStack() as stack:
        theirs: Results = NothingPublished()
        if not alone:
            if board is None:
                raise ConfigurationError(
                    f"SUITE {suite}: its leaderboard is not recorded; give --leaderboard or --alone"
                )
            theirs = stack.enter_context(options.published_results(catalogue, board, published, release))
        renamed = options.parse_aliases(aliases)
        judges = replaced(record.substitutes, board.judges if board else ())
        outcome = verify(ours, theirs, models, renamed, board, record.failures, confidence, replaced=judges)
        data = report_data(outcome, record, board)
    for path in write_report(data, directory or output / "reports" / ours.name):
        click.echo(path)
    click.echo(data.conclusion)
