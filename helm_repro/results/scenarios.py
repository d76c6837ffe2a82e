"""Runs gathered into scenarios: one row for each column of HELM's tables.

A scenario's score is HELM's: the statistics of its runs merged, so each run and trial
weighs the same. Its verdict is that of the pooled difference if all runs are comparable,
otherwise that of the worst run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Optional

from helm_repro.results import bootstrap
from helm_repro.results.bootstrap import Interval
from helm_repro.results.run_comparison import RunComparison
from helm_repro.results.statistics import Headline, Total
from helm_repro.results.verdicts import Judgement, Verdict, judge_difference, worst


@dataclasses.dataclass(frozen=True)
class ScenarioComparison:
    """One scenario of one model; units and intervals as in :class:`RunComparison`."""

    model: str
    headline: Headline
    judgement: Judgement
    runs: tuple[RunComparison, ...]
    ours: Optional[float]
    published: Optional[float]
    interval: Optional[Interval]
    ours_interval: Optional[Interval]
    published_interval: Optional[Interval]
    agreement: Optional[float]
    same_text: Optional[float]
    scored: int

    @property
    def difference(self) -> Optional[float]:
        return None if self.ours is None or self.published is None else self.ours - self.published


def gather(model: str, runs: Sequence[RunComparison], confidence: float) -> list[ScenarioComparison]:
    """Scenarios in the order in which their first run comes."""
    # Run names spell it with "_" for "/"; run specs have the real name.
    model = next((run.model for run in runs if run.model), model)
    by_group: dict[str, list[RunComparison]] = {}
    for run in runs:
        by_group.setdefault(run.headline.group, []).append(run)
    return [_scenario(model, members, confidence) for members in by_group.values()]


def _scenario(model: str, runs: list[RunComparison], confidence: float) -> ScenarioComparison:
    # Only runs that both sides have, so that the two numbers are over the same things.
    both = [run for run in runs if run.ours and run.published]
    ours = _mean([run.ours for run in both or runs])
    published = _mean([run.published for run in both or runs])
    pooled = [bootstrap.pooled([run.means[side] if run.means else None for run in both]) for side in range(3)]
    ours_interval, published_interval, interval = (
        None if means is None else bootstrap.interval(means, confidence) for means in pooled
    )
    if interval is None and len(both) == 1:
        interval = both[0].interval
    if not both and len(runs) == 1:
        ours_interval = runs[0].ours_interval
    agreement = _weighted([(run.agreement, run.scored) for run in both])
    return ScenarioComparison(
        model=model,
        headline=runs[0].headline,
        judgement=_judge(runs, ours, published, interval, agreement),
        runs=tuple(runs),
        ours=ours,
        published=published,
        interval=interval,
        ours_interval=ours_interval,
        published_interval=published_interval,
        agreement=agreement,
        same_text=_weighted([(run.same_text, run.scored) for run in both]),
        scored=sum(run.scored for run in both),
    )


def _judge(
    runs: Sequence[RunComparison],
    ours: Optional[float],
    published: Optional[float],
    interval: Optional[Interval],
    agreement: Optional[float],
) -> Judgement:
    decisive = worst([run.judgement for run in runs])
    if len(runs) == 1:
        return decisive
    if decisive.verdict.severity > Verdict.DRIFTED.severity or ours is None or published is None:
        alike = sum(run.judgement.label == decisive.label for run in runs)
        return dataclasses.replace(decisive, reason=f"{alike} of {len(runs)} runs, first: {decisive.reason}")
    if interval is None:
        # Nothing to pool: the worst run speaks for all.
        return decisive
    return judge_difference(ours, published, interval, agreement)


def _mean(totals: Sequence[Optional[Total]]) -> Optional[float]:
    merged = Total(0, 0.0)
    for item in totals:
        if item:
            merged += item
    return merged.mean


def _weighted(shares: Sequence[tuple[Optional[float], int]]) -> Optional[float]:
    known = [(share, weight) for share, weight in shares if share is not None and weight]
    weight = sum(weight for _, weight in known)
    return sum(share * weight for share, weight in known) / weight if weight else None
