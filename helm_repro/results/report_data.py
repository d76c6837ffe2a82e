"""Everything that a report shows, gathered once for HTML, Markdown and CSV."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import Optional

from helm_repro.catalogue import Leaderboard
from helm_repro.results.ranking import Ranking, rank
from helm_repro.results.scenarios import ScenarioComparison
from helm_repro.results.suite_record import SuiteRecord
from helm_repro.results.verdicts import Verdict
from helm_repro.results.verification import Verification

MEANINGS = {
    Verdict.REPRODUCED: "same recipe, same instances, same score on every one of them",
    Verdict.WITHIN_NOISE: "same recipe and instances; answers differ, and the interval of the difference holds zero",
    Verdict.DRIFTED: "same recipe and instances; the difference is more than chance explains",
    Verdict.RECIPE_DIFFERS: "prompts, decoding, scenario or metrics are not those of the published run",
    Verdict.NOT_COMPARABLE: "data, limits, judge or completeness differ, or nothing was published",
}


@dataclasses.dataclass(frozen=True)
class Unmatched:
    """A published run that we have no counterpart of, with the catalogue's reason if it knows one."""

    run: str
    reason: Optional[str]


@dataclasses.dataclass(frozen=True)
class ReportData:
    """``ours`` and ``published`` are the names of the two sides in headings."""

    verification: Verification
    record: SuiteRecord
    leaderboard: Optional[Leaderboard]
    rankings: tuple[Ranking, ...]
    unmatched: tuple[Unmatched, ...]
    made: datetime.date
    ours: str = "ours"
    published: str = "published"

    @property
    def title(self) -> str:
        if self.leaderboard is None:
            return self.verification.ours.name
        title = self.leaderboard.title
        return title if re.search(r"\bHELM\b", title) else f"HELM {title}"

    @property
    def several_models(self) -> bool:
        return len({scenario.model for scenario in self.verification.scenarios}) > 1

    @property
    def scenarios(self) -> tuple[ScenarioComparison, ...]:
        return self.verification.scenarios

    @property
    def conclusion(self) -> str:
        """One sentence."""
        total = len(self.scenarios)
        counts = self.verification.counts()
        if not total:
            return "The suite holds no scenario that could be compared."
        nouns = "scenario" if total == 1 else "scenarios"
        parts = [f"{count} {verdict}" for verdict, count in counts.items()]
        if list(counts) == [Verdict.REPRODUCED]:
            return f"All {total} {nouns} reproduced." if total > 1 else "The one scenario was reproduced."
        listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        models = len({scenario.model for scenario in self.scenarios})
        return f"Of {total} {nouns}{f' of {models} models' if models > 1 else ''}: {listed}."


def report_data(
    verification: Verification,
    record: SuiteRecord,
    leaderboard: Optional[Leaderboard] = None,
    ours: str = "ours",
    published: str = "published",
    today: Optional[datetime.date] = None,
) -> ReportData:
    """Gather a report.

    Raises:
        PublishedError: a published table is not whole.
    """
    placed = [
        rank(verification.ours, verification.published, model, other) for model, other in verification.models.items()
    ]
    made = today or datetime.datetime.now(datetime.UTC).date()
    caveats = [c for c in (leaderboard.caveats if leaderboard else []) if not c.since or c.since <= made]
    unmatched = [
        Unmatched(
            run,
            next((f"{c.what}: {c.reason}" for c in caveats if any(re.search(e, run) for e in c.entries)), None),
        )
        for run in verification.unmatched
    ]
    return ReportData(
        verification=verification,
        record=record,
        leaderboard=leaderboard,
        rankings=tuple(ranking for ranking in placed if ranking),
        unmatched=tuple(unmatched),
        made=made,
        ours=ours,
        published=published,
    )
