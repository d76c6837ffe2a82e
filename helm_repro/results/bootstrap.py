"""Bootstrap confidence intervals of means over instances.

A resampled mean depends only on how often each distinct value was drawn, and those
counts are multinomial. Drawing the counts is exact and, for scores such as 0 and 1,
a thousand times cheaper than drawing indices.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from typing import Optional

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
_SEED = 20260429
# Counts held at a time: keeps memory below 64 MB for metrics with as many values as instances.
_CELLS = 8_000_000

Means = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A percentile interval, in units of the metric."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def generator(*labels: str) -> np.random.Generator:
    """Random numbers that depend on the labels only: a result does not change with what else is computed."""
    return np.random.default_rng([_SEED, zlib.crc32("\0".join(labels).encode())])


def resampled_means(values: NDArray[np.float64], random: np.random.Generator, resamples: int = RESAMPLES) -> Means:
    """Means of ``resamples`` samples of ``len(values)`` values drawn with replacement, shape ``(resamples,)``.

    Raises:
        ValueError: there is no value.
    """
    if values.size == 0:
        raise ValueError("values: must hold at least one value")
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size == 1:
        return np.full(resamples, distinct[0], dtype=np.float64)
    chunk = max(1, min(resamples, _CELLS // distinct.size))
    parts = []
    for start in range(0, resamples, chunk):
        drawn = random.multinomial(values.size, counts / values.size, size=min(chunk, resamples - start))
        parts.append(drawn @ distinct / values.size)
    return np.concatenate(parts)


def interval(means: Means, confidence: float = CONFIDENCE) -> Interval:
    """The central interval that holds ``confidence`` of the resampled means."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def pooled(runs: Sequence[Optional[Means]]) -> Optional[Means]:
    """Resampled mean over runs of their resampled means; ``None`` if one run has none."""
    present = [means for means in runs if means is not None]
    if not present or len(present) != len(runs):
        return None
    return np.asarray(np.mean(present, axis=0), dtype=np.float64)
