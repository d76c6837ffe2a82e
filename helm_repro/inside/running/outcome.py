"""What is said and recorded of a run stage: the plan's gaps, odd answers, the result, the receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from helm_repro.inside import failures
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.credentials import Credentials
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.models import judges
from helm_repro.inside.plan import caveats
from helm_repro.inside.running.run_stage import RunReport
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

    def write(self, report: Optional[RunReport], code: int) -> None:
        """Say the result and write receipt.json.

        Args:
            report: ``None`` if the stage was stopped before its end.
        """
        planned = len(self._plan["run_specs"]) + len(self._plan["failed"])
        complete = len(report.complete) if report else 0
        partial = self._gaps(report, planned)
        runs = [self._of_run(report, name, state) for name, state in report.states.items()] if report else []
        if report:
            for run in runs:
                for oddity in run["odd"]:
                    say("warning", f"{run['name']}: {oddity}; is the model's chat template right?")
            say("result", f"{complete} of {planned} runs complete" + (f" ({'; '.join(partial)})" if partial else ""))
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

    def _gaps(self, report: Optional[RunReport], planned: int) -> list[str]:
        if report is None:
            return ["stopped before its end"]
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
