"""Alterations of results on disk, each the trace of something that happens in practice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Read a JSON file, let ``change`` alter the document in place, write it."""
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def drop_run(benchmark_output: Path, name: str, release: str = "v1.0.0") -> None:
    """As if the run had never been published."""
    shutil.rmtree(benchmark_output / "runs" / release / name)
    edit(benchmark_output / "releases" / release / "runs_to_run_suites.json", lambda runs: runs.pop(name))


def cut(path: Path, share: float = 0.5) -> None:
    """Keep only the beginning of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
