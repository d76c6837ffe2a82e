"""What a suite's folder says: which runs are finished, and which only look so.

HELM counts a run as completed when its five files exist (``Runner._is_run_completed``,
helm/benchmark/runner.py), even if one of them was cut short by a crash. Here a run
is complete only if all five parse.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path

RUN_FILES = ("run_spec.json", "scenario.json", "scenario_state.json", "stats.json", "per_instance_stats.json")


def is_complete(run_path: Path) -> bool:
    """Whether all five files of the run are there and are whole JSON documents."""
    try:
        for name in RUN_FILES:
            json.loads((run_path / name).read_bytes())
    except (OSError, ValueError):
        return False
    return True


def set_aside_incomplete(suite_path: Path, run_names: Sequence[str]) -> list[Path]:
    """Move half-written runs out of the suite, so that HELM neither skips nor summarises them.

    ``helm-summarize`` reads every folder of the suite that holds a run_spec.json and a
    stats.json, whatever its name; hence out of it. Folders without any result file are
    left: HELM makes a run's folder before it starts.

    Returns:
        The new paths, ``benchmark_output/incomplete/<suite>/<run>.incomplete-<time>``. Nothing is deleted.
    """
    aside = suite_path.parents[1] / "incomplete" / suite_path.name
    moved = []
    for name in run_names:
        path = suite_path / name
        if not any((path / file).exists() for file in RUN_FILES) or is_complete(path):
            continue
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S%f")
        aside.mkdir(parents=True, exist_ok=True)
        moved.append(path.rename(aside / f"{name}.incomplete-{stamp}"))
    return moved
