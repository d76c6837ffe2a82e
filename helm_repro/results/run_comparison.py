"""One run of ours against its published counterpart: recipe, instances, score, agreement."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, Optional

import numpy as np

from helm_repro.results import bootstrap
from helm_repro.results.answers import Answers, read_answers
from helm_repro.results.bootstrap import Interval, Means
from helm_repro.results.instances import InstanceCheck, InstanceSet, compare_instances, read_instances
from helm_repro.results.layout import RunFiles
from helm_repro.results.recipe import Difference, differences
from helm_repro.results.statistics import Headline, Total, largest_variance, total
from helm_repro.results.verdicts import ROUNDING, Evidence, Judgement, judge

# A judgement that most published answers have and none of ours.
_JUDGED_SHARE = 0.5


@dataclasses.dataclass(frozen=True)
class RunComparison:
    """Result for one run and headline metric; scores, differences and intervals in the metric's unit.

    Attributes:
        interval: confidence interval of ours minus published, ``None`` without per-instance data.
        agreement: share of instances with the same score, 0 to 1.
        same_text: share of instances with the same answer text, 0 to 1.
        estimated: the interval is the widest that scores between 0 and 1 allow, not a bootstrap.
        means: resampled means (ours, published, difference) for pooling.
    """

    run: str
    published_run: Optional[str]
    headline: Headline
    judgement: Judgement
    model: Optional[str] = None
    recipe: tuple[Difference, ...] = ()
    instances: Optional[InstanceCheck] = None
    ours: Optional[Total] = None
    published: Optional[Total] = None
    interval: Optional[Interval] = None
    ours_interval: Optional[Interval] = None
    published_interval: Optional[Interval] = None
    agreement: Optional[float] = None
    same_text: Optional[float] = None
    scored: int = 0
    estimated: bool = False
    means: Optional[tuple[Means, Means, Means]] = None


class Side:
    """One side of a comparison, each file read once."""

    def __init__(self, files: RunFiles):
        self.files = files
        self.spec: dict[str, Any] = files.spec()

    @property
    def model(self) -> str:
        return str(self.spec["adapter_spec"].get("model", ""))

    @functools.cached_property
    def stats(self) -> list[dict[str, Any]]:
        return self.files.stats()

    @functools.cached_property
    def instances(self) -> Optional[InstanceSet]:
        return read_instances(self.files)

    def answers(self, headline: Headline) -> Optional[Answers]:
        return None if self.instances is None else read_answers(self.files, headline, self.instances)


def compare_run(
    ours: Side,
    published: Side,
    headline: Headline,
    judge_retired: Optional[str] = None,
    confidence: float = bootstrap.CONFIDENCE,
    judge_replaced: Optional[str] = None,
) -> RunComparison:
    """Compare one run for one headline metric.

    Raises:
        PublishedError: a published file is not whole, or neither is one of ours.
    """
    recipe = tuple(differences(ours.spec, published.spec))
    check = compare_instances(ours.instances, published.instances) if ours.instances and published.instances else None
    left, right = total(ours.stats, headline), total(published.stats, headline)
    means, agreement, same_text, scored, unscored = None, None, None, 0, 0
    missing: tuple[str, ...] = ()
    our_answers, their_answers = ours.answers(headline), published.answers(headline)
    if our_answers and their_answers and ours.instances and published.instances:
        missing = _missing_judgements(our_answers, their_answers)
        our_scores, their_scores = our_answers.scores(ours.instances), their_answers.scores(published.instances)
        paired = sorted(our_scores.keys() & their_scores.keys())
        scored, unscored = len(paired), len(our_scores.keys() ^ their_scores.keys())
        a = np.array([our_scores[key] for key in paired], dtype=np.float64)
        b = np.array([their_scores[key] for key in paired], dtype=np.float64)
        if scored:
            agreement = float(np.mean(np.abs(a - b) <= ROUNDING * np.maximum(1.0, np.abs(b))))
            same_text = _share_equal(our_answers.texts(ours.instances), their_answers.texts(published.instances))
        if scored and not unscored and _is_mean(a, left) and _is_mean(b, right):
            means = _resample(a, b, ours.files.name, headline)
    interval = bootstrap.interval(means[2], confidence) if means else None
    estimated = interval is None
    if interval is None:
        interval = _widest(ours, published, headline, confidence)
    evidence = Evidence(
        published_run=published.files.name,
        recipe=recipe,
        judge_replaced=judge_replaced,
        judge_retired=judge_retired,
        judgements_missing=missing,
        instances=check,
        unscored=unscored,
        ours=left.mean if left else None,
        published=right.mean if right else None,
        interval=interval,
        agreement=agreement,
    )
    return RunComparison(
        run=ours.files.name,
        published_run=published.files.name,
        headline=headline,
        judgement=judge(evidence),
        model=ours.model,
        recipe=recipe,
        instances=check,
        ours=left,
        published=right,
        interval=interval,
        ours_interval=bootstrap.interval(means[0], confidence) if means else None,
        published_interval=bootstrap.interval(means[1], confidence) if means else None,
        agreement=agreement,
        same_text=same_text,
        scored=scored,
        estimated=estimated and interval is not None,
        means=means,
    )


def describe_alone(ours: Side, headline: Headline, judgement: Judgement, confidence: float) -> RunComparison:
    """A run of ours that has no counterpart: its score and interval only."""
    left = total(ours.stats, headline)
    interval = None
    answers = ours.answers(headline)
    if answers and ours.instances:
        scores = answers.scores(ours.instances)
        values = np.array([scores[key] for key in sorted(scores)], dtype=np.float64)
        if values.size and _is_mean(values, left):
            random = bootstrap.generator("ours", ours.files.name, headline.group, headline.metric)
            interval = bootstrap.interval(bootstrap.resampled_means(values, random), confidence)
    return RunComparison(
        ours.files.name, None, headline, judgement, model=ours.model, ours=left, ours_interval=interval
    )


def _resample(
    ours: np.ndarray[Any, np.dtype[np.float64]],
    published: np.ndarray[Any, np.dtype[np.float64]],
    run: str,
    headline: Headline,
) -> tuple[Means, Means, Means]:
    label = (run, headline.group, headline.metric)
    return (
        bootstrap.resampled_means(ours, bootstrap.generator("ours", *label)),
        bootstrap.resampled_means(published, bootstrap.generator("published", *label)),
        # Instances are paired, so what is resampled is the difference on each.
        bootstrap.resampled_means(ours - published, bootstrap.generator("difference", *label)),
    )


def _is_mean(values: np.ndarray[Any, np.dtype[np.float64]], stat: Optional[Total]) -> bool:
    """Whether HELM's number is the mean over instances (BLEU over a corpus, for example, is not)."""
    if stat is None or stat.mean is None:
        return False
    return bool(abs(float(values.mean()) - stat.mean) <= 1e-6 * max(1.0, abs(stat.mean)))


def _widest(ours: Side, published: Side, headline: Headline, confidence: float) -> Optional[Interval]:
    """Interval for unpaired means of scores in 0 to 1, whose variance is at most that of scores that are 0 or 1."""
    difference, variance = 0.0, 0.0
    for sign, side in ((1, ours), (-1, published)):
        score, most = total(side.stats, headline), largest_variance(side.stats, headline)
        if score is None or score.mean is None or most is None:
            return None
        difference += sign * score.mean
        variance += most
    half = NormalDist().inv_cdf((1 + confidence) / 2) * float(np.sqrt(variance))
    return Interval(difference - half, difference + half)


def _missing_judgements(ours: Answers, published: Answers) -> tuple[str, ...]:
    here, there = ours.judges(), published.judges()
    needed = _JUDGED_SHARE * len(published.answers)
    return tuple(sorted(name for name, count in there.items() if count > needed and here[name] == 0))


def _share_equal(ours: Mapping[Any, Any], published: Mapping[Any, Any]) -> Optional[float]:
    both = ours.keys() & published.keys()
    return sum(ours[key] == published[key] for key in both) / len(both) if both else None
