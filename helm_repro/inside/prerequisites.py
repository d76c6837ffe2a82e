"""What runs need beside HELM, its packages and its data, looked for before anything is paid for.

HELM looks for it when the answers are there, and where it is missing an answer that is
paid for fails or, worse, scores 0.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from helm_repro.inside import scoring_files
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.settings import Settings


def missing(settings: Settings, plan: Mapping[str, Any]) -> Iterator[tuple[str, str, ExitCode]]:
    """Where, what is missing, and the exit code for it; fetches what can be fetched."""
    planned = [spec for spec in plan["run_specs"] if spec["unavailable"] is None or settings.include_unavailable]
    yield from _programs(settings, {spec["entry"].partition(":")[0] for spec in planned})
    for file, problem in scoring_files.provide(settings, {spec["name"]: spec["run_spec"] for spec in planned}):
        yield file, problem, ExitCode.UPSTREAM_DATA


def _programs(settings: Settings, functions: set[str]) -> Iterator[tuple[str, str, ExitCode]]:
    """The catalogue's programs that these run-spec functions start and that are not there."""
    for function, programs in settings.board.leaderboard.get("programs", {}).items():
        # A path is one from HELM's working directory.
        where = [str(settings.data_dir / name) if "/" in name else name for name in programs]
        absent = [name for name, path in zip(programs, where, strict=True) if not shutil.which(path)]
        if function in functions and absent:
            message = f"{', '.join(absent)} not found; HELM would score every answer 0 or fail once all are paid for"
            yield f"runs {function}", message, ExitCode.CONFIGURATION
