"""What runs need beside HELM, its packages and its data, looked for before anything is paid for.

HELM looks for it when the answers are there, and where it is missing an answer that is
paid for fails or, worse, scores 0.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from helm_repro.inside.data import scoring_files
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.models.juries import functions, running


def missing(settings: Settings, plan: Mapping[str, Any]) -> Iterator[tuple[str, str, ExitCode]]:
    """Where, what is missing, and the exit code for it; fetches what can be fetched."""
    called = functions(settings, plan)
    for function, names in settings.board.leaderboard.get("requires", {}).items():
        absent = [name for name in names if not _is_there(name, settings.data_dir)]
        if function in called and absent:
            message = f"{', '.join(absent)} not found; HELM would ask for all answers and then score none"
            yield f"runs of {function}", message, ExitCode.CONFIGURATION
    for file, problem in scoring_files.provide(
        settings, {spec["name"]: spec["run_spec"] for spec in running(settings, plan)}
    ):
        yield file, problem, ExitCode.UPSTREAM_DATA


def _is_there(name: str, working_directory: Path) -> bool:
    """See ``requires`` in the catalogue (helm_repro/catalogue/models.py)."""
    if name.startswith("helm/"):
        # As in HELM's process, without importing HELM here.
        return any((Path(folder) / name).exists() for folder in sys.path)
    return shutil.which(str(working_directory / name) if "/" in name else name) is not None
