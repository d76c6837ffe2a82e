"""What is said and recorded of a run stage: the plan's gaps, odd answers, the result, the receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from helm_repro.inside import failures
from helm_repro.inside.errors import InsideError, Stopped
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.credentials import Credentials
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.models import judges
from helm_repro.inside.plan import caveats
from helm_repro.inside.running.run_stage import RunReport, finished_since
from helm_repro.inside.suite.receipt import write_receipt
from helm_repro.inside.suite.state import RunState


def say_plan(settings: Settings, plan: Mapping[str, Any]) -> None:
    """One line for each entry that will not run, and why; then what others will lose."""
    for kind in ("failed", "left_out"):
        for item in plan[kind]:
            say("plan", f"{kind.replace('_', ' ')}: {item['entry']}: {item['reason']}")
    for spec in plan["run_specs"]:
        if spec["unavailable"]:
            action = "trying it all the same" if settings.include_unavailable else "INCLUDE_UNAVAILABLE=1 tries it"
            say("plan", f"unavailable: {spec['entry']}: {spec['unavailable']} ({action})")
    for line in caveats.warnings(settings.board.leaderboard, plan):
        say("warning", line)


def exit_code(plan: Mapping[str, Any], report: RunReport) -> ExitCode:
    """The stage's exit code: entries that could not be constructed count as failed runs."""
    classes = [*report.failed.values(), *(failures.classify(item["reason"]) for item in plan["failed"])]
    return failures.outcome(classes, any_complete=bool(report.complete))


def odd_answers(settings: Settings, state: RunState) -> list[str]:
    """Anomalies of a run that reach ANOMALY_THRESHOLD, as text."""
    return [
        f"{count} of {state.requests} answers {_ANOMALIES[name]}"
        for name, count in state.anomalies.items()
        if count * 100 >= settings.anomaly_threshold * state.requests
    ]


_ANOMALIES = {
    "empty": "are empty",
    "truncated": "were cut at the token limit",
    "unjudged": "got no verdict from a judge",
}


class Record:
    """Collects what the receipt needs and writes it."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], credentials: Credentials, plan: Mapping[str, Any]
    ):
        self._settings = settings
        self._environ = environ
        self._credentials = credentials
        self._plan = plan

    def write(self, report: RunReport, code: int) -> None:
        """Say the result and write receipt.json."""
        planned = len(self._plan["run_specs"]) + len(self._plan["failed"])
        partial = self._gaps(report)
        runs = [self._of_run(report, name, state) for name, state in report.states.items()]
        for run in runs:
            for oddity in run["odd"]:
                say("warning", f"{run['name']}: {oddity}; is the model's chat template right?")
        reasons = f" ({'; '.join(partial)})" if partial else ""
        say("result", f"{len(report.complete)} of {planned} runs complete{reasons}")
        self._write(runs, partial, code)

    def write_unfinished(self, report: RunReport, error: InsideError) -> None:
        """Write receipt.json of a stage that ``error`` ends early, with the runs that are known to be complete."""
        finished = {event["run"]: _of_event(report, event) for event in finished_since(self._settings, report)}
        for name in finished:
            report.failed.pop(name, None)
        looked_at = {name: state for name, state in report.states.items() if state.complete or name in report.failed}
        runs = {**{name: self._of_run(report, name, state) for name, state in looked_at.items()}, **finished}
        reason = "stopped before its end" if isinstance(error, Stopped) else str(error)
        try:
            self._write(list(runs.values()), [reason, *self._gaps(report)], error.exit_code)
        except OSError as full:
            # What ends the stage is the other error.
            say("receipt", f"could not be written: {full.strerror}")

    def _write(self, runs: Sequence[Mapping[str, Any]], partial: Sequence[str], code: int) -> None:
        write_receipt(self._settings, self._environ, self._credentials, self._plan, runs, partial, code)

    def _of_run(self, report: RunReport, name: str, state: RunState) -> dict[str, Any]:
        failure = report.failed.get(name)
        return {
            "name": name,
            "status": "complete" if state.complete else "failed",
            "failure": failure.name if failure else None,
            "attempts": report.attempts[name],
            "seconds": report.seconds.get(name),
            "requests": state.requests,
            "anomalies": dict(state.anomalies),
            "odd": odd_answers(self._settings, state),
        }

    def _gaps(self, report: RunReport) -> list[str]:
        unavailable = sum(bool(spec["unavailable"]) for spec in self._plan["run_specs"])
        gaps = {
            "failed": len(report.failed),
            "could not be constructed": len(self._plan["failed"]),
            "unavailable upstream": 0 if self._settings.include_unavailable else unavailable,
        }
        limit = self._settings.board.leaderboard["max_eval_instances"]
        found = [f"{count} {what}" for what, count in gaps.items() if count]
        if self._settings.max_eval_instances < limit:
            found.append(f"{self._settings.max_eval_instances} instances instead of {limit}")
        return [*found, *judges.marks(self._settings)]


def _of_event(report: RunReport, event: Mapping[str, Any]) -> dict[str, Any]:
    """A run that only the journal says is complete: what is in its files is not known."""
    return {
        "name": event["run"],
        "status": "complete",
        "failure": None,
        "attempts": report.attempts[event["run"]],
        "seconds": event.get("seconds"),
        "requests": event.get("requests"),
        "anomalies": None,
        "odd": [],
    }
