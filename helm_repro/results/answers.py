"""Per-instance scores and answers of one run, for one headline metric.

Read from ``display_predictions.json`` (small, written by helm-summarize for every metric
of the schema), or else from ``per_instance_stats.json`` (large, always there).
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from helm_repro.results.instances import InstanceSet, Key, perturbation_label
from helm_repro.results.layout import RunFiles
from helm_repro.results.statistics import Headline, used_metric
from helm_repro.results.store import NotPublished


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model answered to one instance in one trial; ``score`` is in the metric's own unit."""

    identifier: str
    perturbation: str
    trial: int
    score: Optional[float]
    text: Optional[str] = None
    judged: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Answers:
    """The answers of the headline's split, unperturbed, in file order."""

    answers: tuple[Answer, ...]

    def scores(self, instances: InstanceSet) -> dict[Key, float]:
        """Score of each instance, the mean over trials; instances without a score are left out."""
        values: dict[str, list[float]] = collections.defaultdict(list)
        for answer in self.answers:
            if answer.score is not None:
                values[answer.identifier].append(answer.score)
        return {
            key: sum(values[item.identifier]) / len(values[item.identifier])
            for key, item in instances.by_key().items()
            if not item.perturbation and item.identifier in values
        }

    def texts(self, instances: InstanceSet) -> dict[Key, tuple[str, ...]]:
        """Answer texts of each instance, one for each trial."""
        found: dict[str, list[str]] = collections.defaultdict(list)
        for answer in sorted(self.answers, key=lambda answer: answer.trial):
            if answer.text is not None:
                found[answer.identifier].append(answer.text)
        return {
            key: tuple(found[item.identifier])
            for key, item in instances.by_key().items()
            if not item.perturbation and item.identifier in found
        }

    def judges(self) -> collections.Counter[str]:
        """Judgement, as ``annotator.key``, -> number of answers that have it."""
        return collections.Counter(name for answer in self.answers for name in answer.judged)


def read_answers(run: RunFiles, headline: Headline, instances: InstanceSet) -> Optional[Answers]:
    """Answers of a run.

    Returns:
        ``None`` where the metric has no per-instance values or they are not published.

    Raises:
        PublishedError: a file is not whole.
    """
    splits = {item.identifier: item.split for item in instances.asked if not item.perturbation}
    for read in (_from_display, _from_statistics):
        try:
            answers = read(run, headline, splits)
        except NotPublished:
            continue
        if any(answer.score is not None for answer in answers):
            return Answers(tuple(answers))
    return None


def _from_display(run: RunFiles, headline: Headline, splits: Mapping[str, str]) -> list[Answer]:
    predictions: Sequence[Mapping[str, Any]] = run.json("display_predictions.json")
    names = ({"name": name, "split": headline.split} for item in predictions for name in item.get("stats") or {})
    metric = used_metric(names, headline)
    answers = []
    for item in predictions:
        identifier = str(item["instance_id"])
        if item.get("perturbation") is not None or not _in_split(headline, splits.get(identifier)):
            continue
        answers.append(
            Answer(
                identifier=identifier,
                perturbation="",
                trial=int(item.get("train_trial_index") or 0),
                score=_number((item.get("stats") or {}).get(metric)),
                text=item.get("predicted_text"),
                judged=tuple(_leaves(item.get("annotations") or {})),
            )
        )
    return answers


def _from_statistics(run: RunFiles, headline: Headline, splits: Mapping[str, str]) -> list[Answer]:
    rows: Sequence[Mapping[str, Any]] = run.json("per_instance_stats.json")
    metric = used_metric((stat["name"] for row in rows for stat in row["stats"]), headline)
    scores: dict[tuple[str, int], Optional[float]] = {}
    for row in rows:
        identifier = str(row["instance_id"])
        if perturbation_label(row.get("perturbation")) or not _in_split(headline, splits.get(identifier)):
            continue
        key = (identifier, int(row.get("train_trial_index") or 0))
        # Each metric class adds rows of its own for the same instance.
        scores.setdefault(key, None)
        for stat in row["stats"]:
            if metric and headline.matches(stat["name"], metric):
                scores[key] = _number(stat.get("mean"))
    return [Answer(identifier, "", trial, score) for (identifier, trial), score in scores.items()]


def _in_split(headline: Headline, split: Optional[str]) -> bool:
    return headline.split in ("__all__", split)


def _number(value: Any) -> Optional[float]:
    return float(value) if isinstance(value, (int, float)) else None


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{prefix}{name}.")
        elif item is not None and item != "":
            yield f"{prefix}{name}"
