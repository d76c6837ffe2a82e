"""The number in a cell of HELM's tables, from a run's ``stats.json``.

Mirrors ``get_unique_stat_by_matcher`` and ``create_cell`` of
helm/benchmark/presentation/summarize.py and ``MetricNameMatcher`` of schema.py (0.5.16):
sub-splits are merged, ``exact_match`` stands in for a missing ``quasi_exact_match``,
perturbed values count only where the worst case is asked for, and a cell over several
runs merges their statistics. A statistic holds one value per train trial, so a merged
mean is the mean over runs and trials.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

_ALL_SPLITS = "__all__"
_STAND_INS = {"quasi_exact_match": "exact_match"}


@dataclasses.dataclass(frozen=True)
class Headline:
    """The metric and split that a schema calls a run group's main ones."""

    group: str
    title: str
    metric: str
    split: str
    lower_is_better: Optional[bool] = None

    def matches(self, name: Mapping[str, Any], metric: Optional[str] = None) -> bool:
        """Whether a statistic's name is this one, unperturbed."""
        return (
            name["name"] == (metric or self.metric)
            and self.split in (_ALL_SPLITS, name.get("split"))
            and name.get("perturbation") is None
        )


@dataclasses.dataclass(frozen=True)
class Total:
    """A merged statistic: ``count`` values (one per run and trial) and their ``sum``."""

    count: int
    sum: float

    @property
    def mean(self) -> Optional[float]:
        return self.sum / self.count if self.count else None

    def __add__(self, other: Total) -> Total:
        return Total(self.count + other.count, self.sum + other.sum)


def headlines(schema: Mapping[str, Any], groups: Iterable[str]) -> list[Headline]:
    """The headline of each of a run's groups that the schema gives one."""
    known = {group["name"]: group for group in schema.get("run_groups", [])}
    better = {metric["name"]: metric.get("lower_is_better") for metric in schema.get("metrics", [])}
    found = []
    for name in groups:
        variables = known.get(name, {}).get("environment") or {}
        if "main_name" in variables:
            metric = str(variables["main_name"])
            title = known[name].get("display_name") or name
            split = str(variables.get("main_split", "test"))
            found.append(Headline(name, title, metric, split, better.get(metric)))
    return found


def total(stats: Sequence[Mapping[str, Any]], headline: Headline) -> Optional[Total]:
    """The run's statistic, or ``None`` where HELM computed none (an empty cell)."""
    metric = used_metric((stat["name"] for stat in stats), headline)
    if metric is None:
        return None
    matching = [stat for stat in stats if headline.matches(stat["name"], metric)]
    merged = Total(sum(int(stat["count"]) for stat in matching), sum(float(stat["sum"]) for stat in matching))
    return merged if merged.count else None


def used_metric(names: Iterable[Mapping[str, Any]], headline: Headline) -> Optional[str]:
    """The headline's metric or its stand-in, whichever is there."""
    listed = list(names)
    for metric in (headline.metric, _STAND_INS.get(headline.metric)):
        if metric and any(headline.matches(name, metric) for name in listed):
            return metric
    return None


def win_rates(columns: Sequence[tuple[Sequence[Optional[float]], Optional[bool]]]) -> list[Optional[float]]:
    """Mean win rate of each row, as ``compute_aggregate_row_win_rates`` computes it.

    Args:
        columns: per column the value of every row, and whether lower is better (``None``: no order, skipped).

    Returns:
        Per row the mean, over columns in which at least two rows have a value, of the share of other
        rows that it beats, ties counting half; ``None`` for a row without any.
    """
    height = len(columns[0][0]) if columns else 0
    rates: list[list[float]] = [[] for _ in range(height)]
    for values, lower_is_better in columns:
        present = [value for value in values if value is not None]
        if lower_is_better is None or len(present) < 2:
            continue
        for row, value in enumerate(values):
            if value is None:
                continue
            beaten = sum(other > value if lower_is_better else other < value for other in present)
            ties = sum(other == value for other in present) - 1
            rates[row].append((beaten + ties / 2) / (len(present) - 1))
    return [sum(row) / len(row) if row else None for row in rates]
