"""What verify, report and releases share: finding a release, and saying what is being read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.errors import ConfigurationError
from helm_repro.results.cache import Cache, default_cache
from helm_repro.results.http_store import HttpStore
from helm_repro.results.layout import Results, open_results
from helm_repro.results.store import BASE_VARIABLE, FolderStore, NotPublished, Store, folder_of, published_base
from helm_repro.results.verdicts import Verdict

published_option = click.option(
    "--published",
    default=None,
    metavar="ADDRESS",
    help=f"Mirror of Stanford's bucket, or one project's benchmark_output: https://…, file://… or a path "
    f"[default: {BASE_VARIABLE}, else Stanford's].",
)
release_option = click.option("--release", default=None, help="Release, or suite of the old layout [default: latest].")
alias_option = click.option(
    "--as", "aliases", multiple=True, metavar="OURS=PUBLISHED", help="Compare our model with a published one."
)
confidence_option = click.option(
    "--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True, help="Of the intervals."
)
output_option = click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
fail_on_option = click.option(
    "--fail-on",
    "fail_on",
    default="drifted,recipe-differs",
    show_default=True,
    metavar="VERDICTS",
    help=f"Exit with 7 if a scenario has one of these verdicts ({', '.join(v.slug for v in Verdict)}), or none.",
)


def parse_fail_on(text: str) -> set[Verdict]:
    """Verdicts of ``--fail-on``.

    Raises:
        ConfigurationError: one is unknown.
    """
    known = {verdict.slug: verdict for verdict in Verdict}
    chosen = set()
    for word in re.split(r"[,\s]+", text.strip()):
        if word in ("none", ""):
            continue
        if word not in known:
            raise ConfigurationError(f"--fail-on {word}: unknown verdict, allowed: {', '.join(known)}, none")
        chosen.add(known[word])
    return chosen


def parse_aliases(pairs: tuple[str, ...]) -> dict[str, str]:
    """Pairs of ``--as``.

    Raises:
        ConfigurationError: one is not OURS=PUBLISHED.
    """
    aliases = {}
    for pair in pairs:
        ours, separator, other = pair.partition("=")
        if not separator or not ours or not other:
            raise ConfigurationError(f"--as {pair}: must be OURS=PUBLISHED, as in local/my-model=meta/llama-2-7b")
        aliases[ours] = other
    return aliases


def latest_release(board: Leaderboard) -> Optional[str]:
    """The highest version that the catalogue lists."""
    versions = [name for name in board.published.releases if re.fullmatch(r"v\d+(\.\d+)*", name)]
    return max(versions, key=lambda name: [int(part) for part in name[1:].split(".")], default=None)


@contextlib.contextmanager
def published_results(
    catalogue: Catalogue, board: Leaderboard, address: Optional[str], release: Optional[str]
) -> Iterator[Results]:
    """Open a release for the length of a block, with a display of large downloads.

    Raises:
        ConfigurationError: nothing is published for the board, or no release is known.
        NotPublished: there is no such release; the message lists those that the catalogue knows.
        PublishedError: the address gives no answer.
    """
    base = published_base(board, address)
    name = release or latest_release(board)
    if name is None:
        raise ConfigurationError(f"--release: the catalogue knows no release of {board.id}; name one")
    with published_store(catalogue, base) as store:
        try:
            yield open_results(store, name)
        except NotPublished as error:
            if "no release or suite" not in str(error):
                raise
            known = ", ".join(board.published.releases) or "none"
            raise NotPublished(f"{error}; releases in the catalogue: {known}") from error


@contextlib.contextmanager
def published_store(catalogue: Catalogue, base: str) -> Iterator[Store]:
    """The folder or the web address ``base``."""
    folder = folder_of(base)
    if folder is not None:
        if not folder.is_dir():
            raise ConfigurationError(f"--published {base}: no such folder")
        yield FolderStore(folder)
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        store = HttpStore(base, Cache(default_cache(catalogue.root)), progress, on_stale=say)
        try:
            yield store
        finally:
            store.close()


def own_suite(output: Path, suite: str) -> Results:
    """A suite in the output folder, or at a path.

    Raises:
        ConfigurationError: it is not there or was not summarised.
    """
    path = Path(suite) if "/" in suite else output / "benchmark_output" / "runs" / suite
    if not (path / "summary.json").is_file():
        what = "not summarised yet; run the summarize stage first" if path.is_dir() else "no such suite"
        raise ConfigurationError(f"SUITE {suite}: {what} ({path})")
    return Results(FolderStore(path.absolute().parents[1]), f"runs/{path.name}", path.name)


def suite_path(results: Results) -> Path:
    """The folder of a suite that :func:`own_suite` opened."""
    return Path(results.where)


def say(message: str) -> None:
    """One line on standard error."""
    click.echo(f"helm-repro: {message}", err=True)
