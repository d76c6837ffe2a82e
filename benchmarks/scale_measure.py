"""Measures what a run costs on this machine: writes ``scale_costs.json`` for ``scale.py``.

Usage: scale_measure.py PYTHON_WITH_HELM

The model answers at once (``simple/model1``), so what is measured is all but the model.
Seconds are of CPU time: they stay the same on a machine that is busy with other things.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from helm_repro.catalogue import load_catalogue
from helm_repro.catalogue.render import write_board

ROOT = Path(__file__).parents[1]
COSTS = Path(__file__).with_name("scale_costs.json")
_FEW, _MANY = 10, 110
_RUNS = 10
_COPIES = 300
_PUTS = 500


def main() -> None:
    """Measure and write."""
    python = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        catalogue = load_catalogue(ROOT)
        board = write_board(catalogue, catalogue.leaderboards["smoke"], work / "board")
        run = _Entrypoint(python, board, work)
        start = run.start_seconds()
        few, many = (run.smoke_seconds(instances) - start for instances in (_FEW, _MANY))
        suites = [work / f"data-{instances}/benchmark_output/runs/my-suite" for instances in (_FEW, _MANY)]
        fewer, more = (sum(_requests(path) for path in suite.glob("*/scenario_state.json")) for suite in suites)
        per_request = (many - few) / (more - fewer)
        empty = run.summarize_seconds(suites[1], 0)
        costs = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "start_seconds": start,
            "plan_seconds_per_run": run.plan_seconds_per_run(start),
            "seconds_per_run": (few - per_request * fewer) / _RUNS,
            "seconds_per_request": per_request,
            "bytes_per_request": round(_size(suites[1]) / more),
            "summarize_seconds": empty,
            "summarize_seconds_per_run": (run.summarize_seconds(suites[1], _COPIES) - empty) / _COPIES,
            "requests_per_run_summarized": round(more / _RUNS),
            "cache_writes_per_second": round(_cache_writes_per_second(work)),
        }
    rounded = {name: round(value, 5) if isinstance(value, float) else value for name, value in costs.items()}
    COSTS.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    print(COSTS.read_text(encoding="utf-8"), end="")


class _Entrypoint:
    def __init__(self, python: str, board: Path, work: Path):
        self._python = python
        self._board = board
        self._work = work

    def smoke_seconds(self, instances: int) -> float:
        """Of the run stage with all of smoke's runs."""
        return self._run(self._work / f"data-{instances}", "run", MAX_EVAL_INSTANCES=str(instances))

    def start_seconds(self) -> float:
        """From the start until the run stage could begin: imports, and a plan of ten runs."""
        return self._run(self._work / "start", "plan")

    def plan_seconds_per_run(self, start: float) -> float:
        """Of a plan of a thousand entries more."""
        conf = self._work / "many.conf"
        entries = [{"description": f"mmlu:model=text,subject=subject_{i}", "priority": 1} for i in range(1000)]
        conf.write_text(json.dumps({"entries": entries}))
        return (self._run(self._work / "start", "plan", RUN_ENTRIES_CONF_PATH=str(conf)) - start) / 1000

    def summarize_seconds(self, suite: Path, copies: int) -> float:
        """Of the suite with that many more runs in it."""
        originals = sorted(path.parent for path in suite.glob("*/run_spec.json"))
        for number in range(copies):
            original = originals[number % len(originals)]
            name = original.name.replace(":", f"_{number}:", 1)
            copy = shutil.copytree(original, suite / name)
            spec = json.loads((copy / "run_spec.json").read_bytes())
            (copy / "run_spec.json").write_text(json.dumps({**spec, "name": name}))
        return self._run(suite.parents[2], "summarize")

    def _run(self, data: Path, word: str, **variables: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = {"HELM_REPRO_BOARD": str(self._board), "DATA_DIR": str(data), "MODELS_TO_RUN": "simple/model1"}
        subprocess.run(
            [self._python, str(ROOT / "entrypoint.py"), word],
            env={**os.environ, **ours, "PREFLIGHT": "off", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _cache_writes_per_second(work: Path) -> float:
    """Answers that one SQLite file takes, written as ``parallel/request_cache.py`` does on a network file system.

    By wall clock, because it is the disk that takes the time: this machine's, so a network's takes fewer.
    """
    with contextlib.closing(sqlite3.connect(work / "cache.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("CREATE TABLE unnamed (key TEXT PRIMARY KEY, value BLOB)")
        started = time.monotonic()
        for number in range(_PUTS):
            connection.execute("INSERT INTO unnamed VALUES (?, ?)", (str(number), b"x" * 4000))
        return _PUTS / (time.monotonic() - started)


def _requests(path: Path) -> int:
    state: dict[str, Any] = json.loads(path.read_bytes())
    return len(state["request_states"])


def _size(suite: Path) -> int:
    return sum(path.stat().st_size for path in suite.glob("*:*/*.json"))


if __name__ == "__main__":
    main()
