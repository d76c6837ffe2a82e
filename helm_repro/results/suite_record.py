"""What a suite's own records say beside its scores: receipt, failures, anomalies, partiality.

Reads what is there of ``receipt.json``, ``suite.json``, divisions and ``journal.jsonl`` (written by
the entrypoint); a suite made with plain HELM has none of them and is looked at file by file.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.failures import classify_event
from helm_repro.inside.suite.gaps import Gaps, models_without_plan, planned_runs
from helm_repro.inside.suite.journal import Journal
from helm_repro.inside.suite.state import examine

# The failure class that stands for a model its provider no longer serves.
_RETIRED = "unknown model"
# As helm_repro.inside.models.judges.marks says it.
_REPLACED = re.compile(r"judge replaced: (\S+) by (.+)")


@dataclasses.dataclass(frozen=True)
class Failure:
    """A run that did not finish; ``kind`` is a class of ``helm_repro.inside.failures``."""

    run: str
    kind: str
    cause: str
    next_step: str = ""

    @property
    def model_retired(self) -> bool:
        return self.kind == _RETIRED


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """Answers of one run that hint at a broken set-up: ``count`` of ``requests`` are ``kind``."""

    run: str
    kind: str
    count: int
    requests: int


@dataclasses.dataclass(frozen=True)
class SuiteRecord:
    """Everything known of a suite but its scores.

    Attributes:
        substitutes: judge's model or deployment -> what answered in its place.
    """

    path: Path
    leaderboard: Optional[str]
    receipt: Optional[dict[str, Any]]
    planned: tuple[str, ...]
    failures: dict[str, Failure]
    anomalies: tuple[Anomaly, ...]
    partial: tuple[str, ...]
    substitutes: dict[str, str]

    @property
    def counts(self) -> Optional[tuple[int, int]]:
        """Runs that are complete and runs that were planned; ``None`` if nothing is known of a plan."""
        if self.receipt and "planned" in self.receipt:
            return int(self.receipt["complete"]), int(self.receipt["planned"])
        return (len(self.planned) - len(self.failures), len(self.planned)) if self.planned else None

    def marks(self) -> dict[str, Any]:
        """What every output in JSON says of the suite's completeness."""
        complete, planned = self.counts or (None, None)
        return {"complete": complete, "planned": planned, "partial": list(self.partial)}


def read_suite_record(path: Path) -> SuiteRecord:
    """Read the records of ``benchmark_output/runs/<suite>``; a record that is cut short counts as absent."""
    receipt = _json(path / "receipt.json")
    suite = _json(path / "suite.json") or {}
    identity = suite.get("identity") or {}
    planned, failures = planned_runs(path), _failures(path)
    unfinished = [name for name in planned if not (path / name / "stats.json").is_file()]
    partial = [str(reason) for reason in (receipt or {}).get("partial") or []]
    if unfinished and not partial:
        partial = [f"{len(unfinished)} of {len(planned)} planned runs have no result"]
    partial = list(dict.fromkeys([*partial, *Gaps((), (), models_without_plan(path)).reasons]))
    return SuiteRecord(
        path=path,
        leaderboard=(receipt or {}).get("leaderboard") or identity.get("leaderboard"),
        receipt=receipt,
        planned=tuple(planned),
        failures={
            name: failures.get(name) or Failure(name, "other", "no result; the run was not finished")
            for name in unfinished
        },
        anomalies=tuple(_anomalies(path, receipt)),
        partial=tuple(partial),
        substitutes=_substitutes(suite, partial),
    )


def _substitutes(suite: Mapping[str, Any], partial: Iterable[str]) -> dict[str, str]:
    """As ``suite.json`` says, which is there from the start, and as the receipt marks.

    JUDGE_OVERRIDES are part of the identity, also of one that RESUME=force has replaced; a judge
    redefined in the user's own deployments file is known from its mark only (``judges.marks``).
    """
    identities = [suite.get("identity"), *(forced.get("from") for forced in suite.get("forced") or ())]
    found = {
        name: to for identity in identities for name, to in ((identity or {}).get("judge_overrides") or {}).items()
    }
    return {**found, **{match[1]: match[2] for match in map(_REPLACED.fullmatch, partial) if match}}


def _failures(path: Path) -> dict[str, Failure]:
    """The last failure of each run that has not been done since."""
    failures: dict[str, Failure] = {}
    for event in Journal(path).read_suite():
        name = str(event.get("run", ""))
        if event.get("event") == "done":
            failures.pop(name, None)
        elif event.get("event") == "fail":
            kind = classify_event(event)
            cause = str(event.get("cause") or event.get("error") or "no cause was recorded")
            failures[name] = Failure(name, kind.name, " ".join(cause.split())[:400], kind.next_step)
    return failures


def _anomalies(path: Path, receipt: Optional[Mapping[str, Any]]) -> list[Anomaly]:
    found = []
    listed = {run["name"]: run for run in (receipt or {}).get("runs") or [] if run.get("anomalies") is not None}
    for spec in sorted(path.glob("*/run_spec.json")):
        name = spec.parent.name
        if name in listed:
            counts, requests = listed[name]["anomalies"], int(listed[name].get("requests") or 0)
        else:
            state = examine(spec.parent)
            counts, requests = state.anomalies, state.requests
        found += [Anomaly(name, kind, int(count), requests) for kind, count in counts.items() if count]
    return found


def _json(path: Path) -> Optional[dict[str, Any]]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
