"""Judges that did not score a suite: withdrawn by their providers, or replaced by its user.

A score by another judge is another score, whatever the day on which it was given.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Optional

from helm_repro.catalogue.models import Judge


@dataclasses.dataclass(frozen=True)
class Replaced:
    """Another model scored in place of ``judge``; ``used_by`` are the run-spec functions concerned, empty: all."""

    judge: str
    substitute: str
    used_by: tuple[str, ...] = ()

    def concerns(self, run: str) -> bool:
        """Whether the judge scores this run."""
        return not self.used_by or run.partition(":")[0] in self.used_by

    def describe(self) -> str:
        return f"{self.substitute} scored in place of {self.judge}"


def replaced(substitutes: Mapping[str, str], judges: Sequence[Judge]) -> frozenset[Replaced]:
    """The judges that another model stood in for.

    Args:
        substitutes: judge's model or deployment -> what answered instead (``SuiteRecord.substitutes``).
        judges: those of the leaderboard; one that is not among them may score any run.
    """
    found = set()
    for name, substitute in substitutes.items():
        known = [judge for judge in judges if name in (judge.model, judge.deployment)]
        # The same model through another service is the same judge.
        found |= {
            Replaced(judge.model, substitute, tuple(judge.used_by)) for judge in known if judge.model != substitute
        }
        if not known:
            found.add(Replaced(name, substitute))
    return frozenset(found)


def replacements_of(run: str, judges: frozenset[Replaced]) -> Optional[str]:
    """Who scored this run in place of its judges; ``None``: nobody did."""
    return "; ".join(sorted(judge.describe() for judge in judges if judge.concerns(run))) or None


def retired_judge(judges: Sequence[Judge], run: str, day: datetime.date) -> Optional[str]:
    """The judge that this run needs and that was no longer served on the day it ran."""
    function = run.partition(":")[0]
    for item in judges:
        if item.retired and item.retired <= day and (not item.used_by or function in item.used_by):
            return f"{item.model} was withdrawn on {item.retired.isoformat()}, so another judge scored this"
    return None
