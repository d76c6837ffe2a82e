"""HELM's summariser with processes where it has threads, and without repeating what is written.

Given to ``helm-summarize`` by its hook ``--summarizer-class-name`` (since HELM 0.5.5). Two thirds of
its time goes into the files that HELM's page shows for each run (``write_run_display_json``,
helm/benchmark/presentation/run_display.py): Python code that threads do not speed up. HELM's own flag
``--skip-completed-run-display-json`` looks only at whether they exist; here a run's files are kept if
they are younger than the results and the schema is the one they were made with.
"""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any, Optional

from helm.benchmark.presentation.run_display import write_run_display_json
from helm.benchmark.presentation.summarize import Run, Summarizer

from helm_repro.inside.system.cpus import usable_cpus

# What HELM reads for a run's page, and what it writes, the last one last.
_READ = ("run_spec.json", "scenario_state.json", "per_instance_stats.json")
_WRITTEN = ("instances.json", "display_predictions.json", "display_requests.json")


class ParallelSummarizer(Summarizer):  # type: ignore[misc]
    """Writes what Summarizer writes."""

    schema_changed = True

    def write_schema(self) -> None:
        """Write the schema, and notice whether it was another before."""
        path = Path(self.run_release_path, "schema.json")
        before = _schema(path)
        super().write_schema()
        self.schema_changed = before is None or before != _schema(path)

    def write_run_display_json(self, skip_completed: bool) -> None:
        """Write the files of each run's page, as HELM would."""
        runs = [run for run in self.runs if self.schema_changed or not _is_current(Path(run.run_path))]
        if not runs:
            return

        def write(run: Run) -> None:
            write_run_display_json(run.run_path, run.run_spec, self.schema, skip_completed=False)

        _in_processes(write, runs)


def _in_processes(write: Any, runs: list[Run]) -> None:
    """Call ``write`` for each run, in as many forks as there are CPUs.

    Raises:
        RuntimeError: a call failed; its traceback is in the log.
    """
    jobs = min(usable_cpus(), len(runs))
    if jobs == 1:
        for run in runs:
            write(run)
        return
    # Forked, so that neither HELM nor the runs are loaded again; dealt by size, the largest first.
    runs = sorted(runs, key=_size, reverse=True)
    context = multiprocessing.get_context("fork")

    def work(first: int) -> None:
        for run in runs[first::jobs]:
            write(run)

    processes = [context.Process(target=work, args=(first,)) for first in range(jobs)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("the files of some run's page could not be written; the reason is above")


def _size(run: Run) -> int:
    path = Path(run.run_path, "scenario_state.json")
    return path.stat().st_size if path.is_file() else 0


def _schema(path: Path) -> Optional[dict[str, Any]]:
    """The schema as written, less the models: they are named anew whenever one joins the suite."""
    try:
        schema: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return {key: value for key, value in schema.items() if key != "models"}


def _is_current(run_path: Path) -> bool:
    try:
        written = min((run_path / name).stat().st_mtime_ns for name in _WRITTEN)
        return all((run_path / name).stat().st_mtime_ns < written for name in _READ)
    except FileNotFoundError:
        return False
