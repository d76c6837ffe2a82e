"""The run stage: what is missing is run, and run again where it failed for a passing reason.

Invariants: a complete run is never run again; a run that failed for a lasting reason is
not tried again; only helm-run's own exit status and the files decide what is complete.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tenacity

from helm_repro.inside import failures
from helm_repro.inside.errors import InsideError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.failures import FailureClass
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.process.helm_process import HelmProcess
from helm_repro.inside.running import stages
from helm_repro.inside.running.stage import run_stage_command
from helm_repro.inside.suite.journal import Journal
from helm_repro.inside.suite.state import RunState, examine, set_aside_incomplete
from helm_repro.inside.system.files import write_json

FAILURES_FILE = "failures.json"
_FIRST_WAIT_SECONDS = 5
_LONGEST_WAIT_SECONDS = 300
_FULL_BYTES = 100_000


@dataclasses.dataclass
class RunReport:
    """How the stage went: every wanted run with its state, and the failures by run.

    Attributes:
        seen: how many of the journal's events this takes into account.
    """

    states: dict[str, RunState]
    failed: dict[str, FailureClass]
    attempts: dict[str, int]
    seconds: dict[str, float]
    seen: int = 0

    @property
    def complete(self) -> list[str]:
        return [name for name, state in self.states.items() if state.complete]


def begin(settings: Settings, plan: Mapping[str, Any], wanted: Mapping[str, Any]) -> RunReport:
    """Look at what is there, and set aside what is not complete.

    Args:
        wanted: run name -> planned run spec, for the runs of this invocation.
    """
    report = RunReport(_examine(settings, wanted), {}, dict.fromkeys(wanted, 0), {})
    for path in set_aside_incomplete(settings.suite_path, report.states.values()):
        say("resume", f"set aside {path.name}: {report.states[path.name.partition('.incomplete-')[0]].problem}")
    whole = settings.shard.is_whole and not plan["failed"]
    journal = Journal(settings.suite_path)
    journal.write("plan", runs=list(wanted), complete=report.complete, models=list(settings.models), whole=whole)
    report.seen = sum(1 for _ in journal.read())
    return report


def run(
    helm: HelmProcess,
    settings: Settings,
    plan: Mapping[str, Any],
    wanted: Mapping[str, Any],
    report: RunReport,
    before_spending: Callable[[], None],
) -> None:
    """Bring every wanted run to completion, as far as possible.

    Args:
        plan: the plan; its ``entries`` are what helm-run is given.
        wanted: as for :func:`begin`.
        report: what :func:`begin` gave; kept up to date.
        before_spending: called once if anything is left to run.
    """
    if len(report.complete) == len(wanted):
        say("resume", f"all {len(wanted)} runs are complete already")
        return

    before_spending()
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(settings.run_attempts),
        wait=tenacity.wait_exponential_jitter(
            initial=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS, jitter=_FIRST_WAIT_SECONDS
        ),
        retry=tenacity.retry_if_result(bool),
        retry_error_callback=lambda state: None,
        before_sleep=_announce,
        sleep=helm.pause,
    )
    retrying(_attempt, helm, settings, plan, wanted, report)
    _write_failures(settings, report, Journal(settings.suite_path))


def _attempt(
    helm: HelmProcess, settings: Settings, plan: Mapping[str, Any], wanted: Mapping[str, Any], report: RunReport
) -> list[str]:
    """Run what is missing and may still succeed; return the runs worth another attempt."""
    todo = [
        name
        for name, state in report.states.items()
        if not state.complete and (name not in report.failed or report.failed[name].transient)
    ]
    for name in todo:
        report.attempts[name] += 1
    conf = write_conf(settings, plan, set(todo))
    status = run_stage_command(helm, settings, "run", stages.run_command(settings, conf))

    events = _news(settings, report)
    report.seen += len(events)
    for event in events:
        if event["event"] in ("done", "fail"):
            report.seconds[event["run"]] = event.get("seconds", 0.0)
    causes = {event["run"]: event for event in events if event["event"] == "fail"}
    report.states.update(_examine(settings, {name: wanted[name] for name in todo}))
    for name in todo:
        state = report.states[name]
        report.failed.pop(name, None)
        if not state.complete:
            event = causes.get(name, {"cause": f"helm-run ended with {status}; {state.problem}"})
            full = shutil.disk_usage(settings.output_path).free < _FULL_BYTES
            # On a full disk the journal itself may lack the cause.
            report.failed[name] = failures.DISK_FULL if full else failures.classify_event(event)
    if status != 0 and not report.failed and len(report.complete) < len(wanted):
        raise InsideError(f"helm-run ended with {status}; the reason is above", ExitCode.PARTIAL)
    if any(failure.fatal for failure in report.failed.values()):
        return []
    return [name for name, failure in report.failed.items() if failure.transient]


def finished_since(settings: Settings, report: RunReport) -> list[dict[str, Any]]:
    """What the journal says of runs that were finished since the last look.

    For a stage that ends early: a container that is stopped has seconds left, and reading results can take minutes.
    """
    news = _news(settings, report)
    return [event for event in news if event["event"] == "done" and event["run"] in report.states]


def _news(settings: Settings, report: RunReport) -> list[dict[str, Any]]:
    return list(Journal(settings.suite_path).read())[report.seen :]


def _examine(settings: Settings, wanted: Mapping[str, Any]) -> dict[str, RunState]:
    return {name: examine(settings.suite_path / name, spec) for name, spec in wanted.items()}


def write_conf(settings: Settings, plan: Mapping[str, Any], todo: set[str]) -> Path:
    """Write the entries of the runs that are still to do; JSON is HOCON."""
    entries = [
        {key: value for key, value in item["conf"].items() if value is not None}
        for item in plan["entries"]
        if todo.intersection(item["runs"])
    ]
    path = settings.suite_path / settings.part_file("run_entries.conf")
    path.write_text(json.dumps({"entries": entries}, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def _announce(state: tenacity.RetryCallState) -> None:
    runs = state.outcome.result() if state.outcome else []
    wait = state.next_action.sleep if state.next_action else 0
    say("retry", f"{len(runs)} runs failed for a passing reason; attempt {state.attempt_number + 1} in {wait:.0f} s")


def _write_failures(settings: Settings, report: RunReport, journal: Journal) -> None:
    """Write failures.json and say, per class, how many runs failed, why the first did, and what to do."""
    last = {event["run"]: event for event in journal.read() if event["event"] == "fail"}
    path = settings.suite_path / settings.part_file(FAILURES_FILE)
    if not report.failed:
        path.unlink(missing_ok=True)
        return
    records = [
        {
            "run": name,
            "class": failure.name,
            "transient": failure.transient,
            "attempts": report.attempts[name],
            "cause": last.get(name, {}).get("cause") or report.states[name].problem,
            "error": last.get(name, {}).get("error"),
            "traceback": last.get(name, {}).get("traceback"),
            "next_step": failure.next_step,
        }
        for name, failure in report.failed.items()
    ]
    for failure in dict.fromkeys(report.failed.values()):
        of_class = [record for record in records if record["class"] == failure.name]
        say(
            "failed",
            f"{len(of_class)} {_runs(of_class)} ({failure.name}), first {of_class[0]['run']}: "
            f"{str(of_class[0]['cause'])[:300]} -> {failure.next_step}",
        )
    # Last, because on a full disk it fails.
    write_json(path, records)


def _runs(records: Sequence[object]) -> str:
    return "run" if len(records) == 1 else "runs"
