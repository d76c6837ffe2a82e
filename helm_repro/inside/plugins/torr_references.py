"""ToRR: compare the sampled answers with the references of the same instances.

``UnitxtMetric.evaluate`` (helm/benchmark/metrics/unitxt_metrics.py, 0.5.16) collects the rows of
the sampled instances but then passes the whole split to unitxt. With a limit on instances,
unitxt pairs answer n with row n of the split instead of the row that was asked about, so that
perfect answers score 0.33. HELM's main branch passes the sampled rows since #4292
(commit dc3ff0ea1); this does the same to the pinned version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from helm.benchmark.adaptation.scenario_state import ScenarioState
from helm.benchmark.metrics.metric import MetricResult
from helm.benchmark.metrics.unitxt_metrics import UnitxtMetric

_evaluate = UnitxtMetric.evaluate


class _Sampled(dict[str, Sequence[Any]]):
    """The splits as they are, but ``get``, by which HELM's method gets what it passes on, gives the sample."""

    def __init__(self, splits: Mapping[str, Sequence[Any]], sample: Sequence[Any]):
        super().__init__(splits)
        self._sample = sample

    def get(self, split: str, default: Any = None) -> Any:
        return self._sample


def evaluate(self: UnitxtMetric, scenario_state: ScenarioState, *arguments: Any, **named: Any) -> MetricResult:
    """HELM's own method, on the rows that were sampled, in the order of the answers."""
    splits = self.dataset
    places = [self.ID_PATTERN.match(state.instance.id).groups() for state in scenario_state.request_states]
    self.dataset = _Sampled(splits, [splits[split][int(index)] for split, index in places])
    try:
        return _evaluate(self, scenario_state, *arguments, **named)
    finally:
        self.dataset = splits


UnitxtMetric.evaluate = evaluate
