"""What a suite lacks of the runs that were planned for it, and ``partial.json`` that says so.

The plans are in the suite: every start of the run stage lists its runs in a journal, and
a division lists those of shards that died before they wrote one. A suite that was made
elsewhere has neither; then nothing is known, and nothing is said.

Invariant: a plan takes the place of earlier ones for its models, so that a run withdrawn
from it is not missed for ever; unless it is a shard's part or lacks entries that could
not be constructed, because then it does not name all runs.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.suite import identity
from helm_repro.inside.suite.journal import Journal
from helm_repro.inside.suite.shard_receipts import join_receipts
from helm_repro.inside.suite.sharding import DIVISION_FILES
from helm_repro.inside.suite.state import examine
from helm_repro.inside.system.files import write_json

FILE_NAME = "partial.json"


@dataclasses.dataclass(frozen=True)
class Gaps:
    """What is missing of a suite.

    Attributes:
        planned: names of all planned runs.
        missing: those that are not complete.
        models: models that the suite was started with, or is asked for, and nothing was ever planned for.
    """

    planned: Sequence[str]
    missing: Sequence[str]
    models: Sequence[str]

    @property
    def reasons(self) -> list[str]:
        """Why the suite is partial, for people; empty if it is not."""
        found = [f"nothing was planned for {model}" for model in self.models]
        return found + (
            [f"{len(self.missing)} of {len(self.planned)} planned runs are missing"] if self.missing else []
        )


def mark_before_summary(settings: Settings, complete: Collection[str] = ()) -> bool:
    """Before a suite is summarised: mark it if planned runs are missing, and join its shards' receipts.

    Args:
        complete: runs that the run stage has just found complete; reading them again is dear.

    Returns:
        Whether nothing is missing, as far as is known.
    """
    gaps = find_gaps(settings.suite_path, settings.models, complete)
    mark(settings.suite_path, gaps)
    if gaps.reasons:
        say("partial", "; ".join(gaps.reasons) + (f"; the first is {gaps.missing[0]}" if gaps.missing else ""))
    return not gaps.reasons


def mark(suite_path: Path, gaps: Gaps) -> None:
    """Leave ``partial.json`` in a suite that lacks something, and none in one that does not; join its receipts."""
    path = suite_path / FILE_NAME
    if gaps.reasons:
        models = {"models": list(gaps.models)} if gaps.models else {}
        write_json(path, {"planned": len(gaps.planned), "missing": list(gaps.missing), **models})
    else:
        path.unlink(missing_ok=True)
    join_receipts(suite_path, gaps.reasons)


def find_gaps(suite_path: Path, asked: Iterable[str] = (), complete: Collection[str] = ()) -> Gaps:
    """Compare what was planned with what is complete.

    Args:
        asked: models that the suite should have beside those it was started with.
        complete: runs known to be complete.
    """
    planned = planned_runs(suite_path)
    missing = [name for name in sorted(planned) if name not in complete and not examine(suite_path / name).complete]
    return Gaps(planned, missing, models_without_plan(suite_path, asked))


def planned_runs(suite_path: Path) -> list[str]:
    """Names of the runs in the plans that hold now, in the order of these plans."""
    settled: set[str] = set()
    hold = []
    for plan in reversed(_plans(suite_path)):
        if plan.models is None or not plan.models <= settled:
            hold.append(plan)
        if plan.settles:
            settled |= plan.models or set()
    return list(dict.fromkeys(name for plan in reversed(hold) for name in plan.runs))


def models_without_plan(suite_path: Path, asked: Iterable[str] = ()) -> list[str]:
    """Models whose shards or whose run stage ended before a plan of theirs was recorded."""
    plans = _plans(suite_path)
    if any(plan.models is None for plan in plans) or (not plans and identity.any_run(suite_path)):
        return []
    started = (identity.read(suite_path / identity.FILE_NAME) or {}).get("models", ())
    return sorted({*started, *asked}.difference(*(plan.models or () for plan in plans)))


@dataclasses.dataclass(frozen=True)
class _Plan:
    """One plan as recorded; ``models`` is ``None`` in records that do not name them."""

    time: float
    models: Optional[frozenset[str]]
    runs: Sequence[str]
    settles: bool


def _plans(suite_path: Path) -> list[_Plan]:
    """Every recorded plan, by time."""
    records = [event for event in Journal(suite_path).read_suite() if event.get("event") == "plan"]
    records += [json.loads(path.read_bytes()) for path in sorted(suite_path.glob(DIVISION_FILES))]
    return sorted(map(_plan, records), key=lambda plan: plan.time)


def _plan(record: dict[str, Any]) -> _Plan:
    models = record.get("models")
    return _Plan(
        record.get("time", 0.0),
        None if models is None else frozenset(models),
        [run["name"] if isinstance(run, dict) else str(run) for run in record.get("runs") or ()],
        bool(record.get("whole")),
    )
