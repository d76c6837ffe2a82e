"""HELM's runner, with a journal: which run started, ended and failed, and why.

Given to ``helm-run`` by its documented hook ``--runner-class-name``. HELM's own
``run_all`` (helm/benchmark/runner.py) only logs a failing run's traceback and names
the failed runs in one final error.
"""

from __future__ import annotations

import time
import traceback

from helm.benchmark.run_spec import RunSpec
from helm.benchmark.runner import Runner, RunnerError
from helm.common.hierarchical_logger import hlog, htrack_block

from helm_repro.inside.journal import Journal


class JournalRunner(Runner):
    """Runs one run spec after the other and records each in the suite's journal."""

    def run_all(self, run_specs: list[RunSpec]) -> None:
        """Run all; a failing run does not stop the others.

        Raises:
            RunnerError: some runs failed, as in HELM.
        """
        journal = Journal(self.runs_path)
        failed = []
        for run_spec in run_specs:
            started = time.monotonic()
            journal.write("start", run=run_spec.name)
            try:
                with htrack_block(f"Running {run_spec.name}"):
                    self.run_one(run_spec)
            except Exception as error:
                hlog(f"Error when running {run_spec.name}:\n{traceback.format_exc()}")
                failed.append(run_spec.name)
                journal.write("fail", run=run_spec.name, seconds=_since(started), **describe_error(error))
                if self.exit_on_error:
                    raise
            else:
                journal.write("done", run=run_spec.name, seconds=_since(started))
        if failed:
            raise RunnerError(f"Failed runs: {failed}")


def describe_error(error: BaseException) -> dict[str, str]:
    """Say what failed first: the innermost cause is what a user can act on."""
    cause = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return {
        "error": f"{type(error).__name__}: {error}"[:2000],
        "cause": f"{type(cause).__name__}: {cause}"[:2000],
        "traceback": "".join(traceback.format_exception(error))[-8000:],
    }


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
