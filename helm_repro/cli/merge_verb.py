"""``helm-repro merge``: join the folders that shards wrote."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from helm_repro.inside.exit_codes import ExitCode
from helm_repro.results.merge import merge

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("merge")
@click.argument("parts", nargs=-1, required=True, type=_FOLDER)
@click.option("--suite", default="my-suite", show_default=True, help="Name of the suite, in the parts and here.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True)
def command(parts: tuple[Path, ...], suite: str, output: Path) -> None:
    """Join the suites below PARTS (output folders of shards) in the output folder.

    Refuses parts that were made with other entries, schema, limits or HELM version or asked a model of yours
    at another server, and never overwrites a run with another result. Exits with 3 while planned runs are missing.
    Afterwards: helm-repro run ID --stages summarize.
    """
    runs = Path("benchmark_output", "runs", suite)
    merged = merge([part / runs for part in parts], output / runs)
    for name in merged.missing:
        click.echo(f"missing: {name}")
    for path in merged.files_left:
        click.echo(f"not merged: {path}, a file of yours; {output / 'prod_env'} needs what it says of these models")
    click.echo(f"{len(merged.copied)} runs copied, {len(merged.present)} there before, {len(merged.missing)} missing")
    sys.exit(ExitCode.PARTIAL if merged.missing else ExitCode.OK)
