"""HELM's runner with several processes and a journal.

Given to ``helm-run`` by its documented hook ``--runner-class-name``. HELM's own ``run_all``
(helm/benchmark/runner.py) works run spec by run spec: its threads idle while a scenario
loads, metrics compute and files are written. Here forked workers do that side by side,
and helm-run's number of threads is the number of requests in flight in all of them.

Invariants:

* Results do not depend on the number of processes: each works on one run spec at a time
  (HELM uses global random generators) and begins it from equal state.
* A failing run fails alone, even if its process is killed, and the journal says why.
* No worker outlives this process.
"""

from __future__ import annotations

import contextlib
import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn, Optional

from helm.benchmark.run_spec import RunSpec
from helm.benchmark.runner import Runner, RunnerError
from helm.common.hierarchical_logger import hlog
from helm.proxy.services.service import CACHE_DIR

from helm_repro.inside.inputs.credentials import passed_on
from helm_repro.inside.inputs.shard import read_shard
from helm_repro.inside.parallel.jobs import JOBS_VARIABLE, choose_jobs, judges_of, longest_first
from helm_repro.inside.parallel.pool import Pool
from helm_repro.inside.parallel.request_cache import answers_folder, release
from helm_repro.inside.parallel.slots import Slots
from helm_repro.inside.parallel.worker import work
from helm_repro.inside.process.warm import (
    import_for_requests,
    import_for_results,
    modules_of_deployments,
    modules_of_scenarios,
)
from helm_repro.inside.suite.journal import Journal
from helm_repro.inside.variables import JUDGES_VARIABLE


class ParallelRunner(Runner):  # type: ignore[misc]
    """Runs run specs in as many processes as the variable JOBS says."""

    def run_all(self, run_specs: list[RunSpec]) -> None:
        """Run all that are not completed; a failing run does not stop the others.

        Raises:
            RunnerError: some runs failed, as in HELM.
        """
        todo = longest_first([spec for spec in run_specs if not self._is_skipped(spec)])
        if not todo:
            return
        judges = judges_of(todo, os.environ.get(JUDGES_VARIABLE, "").split())
        of_judges = modules_of_deployments(judges)
        modules = modules_of_deployments(spec.adapter_spec.model_deployment for spec in todo)
        modules += modules_of_scenarios(spec.scenario_spec.class_name for spec in todo)
        # Of judges' modules only those that tell where one of the user's own computes; HELM's bring transformers.
        modules += [module for module in of_judges if not module.startswith("helm.")]
        import_for_requests(modules, judged=any(spec.annotators for spec in todo))
        jobs = choose_jobs(os.environ.get(JOBS_VARIABLE) or "auto", todo, judges)
        hlog(f"Running {len(todo)} run specs in {jobs} processes")
        execution_spec = self.executor.execution_spec
        cache_path = Path(execution_spec.local_path or ".", CACHE_DIR)
        kind = os.environ.get("REQUEST_CACHE") or "shared"
        answers_path = answers_folder(cache_path, kind, Path(self.runs_path).name, read_shard(os.environ).name)
        answers_path.mkdir(parents=True, exist_ok=True)

        boss = os.getpid()
        redact = passed_on(os.environ, Path(execution_spec.local_path or ".")).redact
        redact("")  # else each worker would parse the keys once more

        def prepare() -> None:
            import_for_requests(of_judges)
            import_for_results(todo)

        def do_work(parent: Connection, slots: Optional[Slots], label: Optional[str]) -> NoReturn:
            work(self, todo, parent, slots, cache_path, answers_path, boss, label, redact)

        with Pool(
            work=do_work,
            runs=[spec.name for spec in todo],
            jobs=jobs,
            requests=execution_spec.parallelism,
            journal=Journal(self.runs_path),
            prepare=prepare,
            stop_on_failure=self.exit_on_error,
        ) as pool:
            failed = pool.run()
        with contextlib.suppress(OSError):
            release(answers_path)
        if failed:
            raise RunnerError(f"Failed runs: {failed}")

    def _is_skipped(self, run_spec: RunSpec) -> bool:
        if not self.skip_completed_runs or not self._is_run_completed(self._get_run_path(run_spec)):
            return False
        hlog(f"Skipping run {run_spec.name} because run is completed and all output files exist.")
        return True
