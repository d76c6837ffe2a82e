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

_INSTANCES = "num_instances"
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
    merged = sum(_by_part(stats, headline, metric).values(), Total(0, 0.0))
    return merged if merged.count else None


def instances(stats: Sequence[Mapping[str, Any]], headline: Headline) -> Optional[int]:
    """Instances that the headline is about, in each train trial; ``None`` if they were not counted."""
    counted = [part.mean for part in _by_part(stats, headline, _INSTANCES).values()]
    return round(sum(mean or 0 for mean in counted)) if counted else None


def largest_variance(stats: Sequence[Mapping[str, Any]], headline: Headline) -> Optional[float]:
    """The most variance over choices of instances that :func:`total`'s mean can have with scores in 0 to 1.

    A mean p over n scores in 0 to 1 has at most p(1-p)/n. HELM takes the mean of sub-splits' means, however
    many instances each has, so a small sub-split counts for more than its size.

    Returns:
        ``None`` if a score is outside 0 to 1 or instances were not counted.
    """
    metric = used_metric((stat["name"] for stat in stats), headline)
    scores = {part: score for part, score in _by_part(stats, headline, metric).items() if score.count}
    counted = _by_part(stats, headline, _INSTANCES)
    merged = sum(scores.values(), Total(0, 0.0))
    variance = 0.0
    for part, score in scores.items():
        p, n = score.mean, counted[part].mean if part in counted else None
        if p is None or not n or not 0 <= p <= 1:
            return None
        variance += (score.count / merged.count) ** 2 * p * (1 - p) / n
    return variance if scores else None


def _by_part(
    stats: Iterable[Mapping[str, Any]], headline: Headline, metric: Optional[str]
) -> dict[tuple[Any, Any], Total]:
    """A metric's values by split and sub-split: what HELM wrote separately, and merges for a table."""
    parts: dict[tuple[Any, Any], Total] = {}
    for stat in stats:
        name = stat["name"]
        if headline.matches(name, metric):
            part = (name.get("split"), name.get("sub_split"))
            parts[part] = parts.get(part, Total(0, 0.0)) + Total(int(stat["count"]), float(stat["sum"]))
    return parts


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
