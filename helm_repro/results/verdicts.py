"""From evidence to a verdict: one ordered table of rules, first match wins.

Invariants: a score is called reproduced, within noise or drifted only if recipe, judges,
limits and instances are the same; a verdict always has a reason; nothing is guessed.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import Optional

from helm_repro.results.bootstrap import Interval
from helm_repro.results.instances import InstanceCheck
from helm_repro.results.recipe import Difference

# Sums of the same numbers in another order differ by this much, relatively.
ROUNDING = 1e-9


class Verdict(enum.StrEnum):
    """Best first. The value is what people read, ``slug`` what ``--fail-on`` takes."""

    REPRODUCED = "reproduced"
    WITHIN_NOISE = "within noise"
    DRIFTED = "drifted"
    RECIPE_DIFFERS = "recipe differs"
    NOT_COMPARABLE = "not comparable"

    @property
    def slug(self) -> str:
        return self.value.replace(" ", "-")

    @property
    def severity(self) -> int:
        """0 for the best."""
        return list(Verdict).index(self)


class Cause(enum.StrEnum):
    """Why something is not comparable."""

    NOT_PUBLISHED = "not published"
    MODEL_RETIRED = "model retired"
    PARTIAL = "partial"
    JUDGE_REPLACED = "judge replaced"
    JUDGE_RETIRED = "judge retired"
    JUDGE_MISSING = "judge missing"
    LIMITS_DIFFER = "limits differ"
    DATA_CHANGED = "data changed"
    NO_SCORE = "no score"


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What is known of one run against its counterpart. ``None``: not known or not applicable."""

    published_run: Optional[str] = None
    our_failure: Optional[str] = None
    model_retired: bool = False
    recipe: Sequence[Difference] = ()
    judge_replaced: Optional[str] = None
    judge_retired: Optional[str] = None
    judgements_missing: Sequence[str] = ()
    instances: Optional[InstanceCheck] = None
    unscored: int = 0
    ours: Optional[float] = None
    published: Optional[float] = None
    interval: Optional[Interval] = None
    agreement: Optional[float] = None


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A verdict, its cause if it is ``not comparable``, and what it rests on."""

    verdict: Verdict
    reason: str
    cause: Optional[Cause] = None

    @property
    def label(self) -> str:
        """As in a table: ``not comparable: limits differ``."""
        return f"{self.verdict}: {self.cause}" if self.cause else str(self.verdict)


_RECIPE_KINDS = ("prompt", "decoding", "scenario", "perturbations", "metrics")


def _named(evidence: Evidence, kinds: Sequence[str]) -> str:
    return "; ".join(difference.describe() for difference in evidence.recipe if difference.kind in kinds)


def _limits(evidence: Evidence) -> str:
    """Limits that differ, but for a most number of instances that took the same ones anyway."""
    moot = evidence.instances is not None and evidence.instances.same
    differing = [difference for difference in evidence.recipe if difference.kind == "limits"]
    return "; ".join(d.describe() for d in differing if not (moot and d.field == "adapter_spec.max_eval_instances"))


def _data(evidence: Evidence, subset: bool) -> str:
    check = evidence.instances
    return check.describe() if check and not check.same and check.subset == subset else ""


def _judges(evidence: Evidence) -> str:
    missing = [f"no judgement {name}" for name in evidence.judgements_missing]
    return "; ".join([text for text in [_named(evidence, ["judges"])] if text] + missing)


_Rule = tuple[Callable[[Evidence], str], Verdict, Optional[Cause]]
# Each rule gives its reason, or "" if it does not apply.
_RULES: tuple[_Rule, ...] = (
    (lambda e: "" if e.published_run else "no such run in the release", Verdict.NOT_COMPARABLE, Cause.NOT_PUBLISHED),
    (lambda e: (e.our_failure or "") if e.model_retired else "", Verdict.NOT_COMPARABLE, Cause.MODEL_RETIRED),
    (lambda e: e.our_failure or "", Verdict.NOT_COMPARABLE, Cause.PARTIAL),
    (lambda e: _named(e, _RECIPE_KINDS), Verdict.RECIPE_DIFFERS, None),
    (lambda e: e.judge_replaced or "", Verdict.NOT_COMPARABLE, Cause.JUDGE_REPLACED),
    (lambda e: e.judge_retired or "", Verdict.NOT_COMPARABLE, Cause.JUDGE_RETIRED),
    (_judges, Verdict.NOT_COMPARABLE, Cause.JUDGE_MISSING),
    (_limits, Verdict.NOT_COMPARABLE, Cause.LIMITS_DIFFER),
    (lambda e: _data(e, subset=True), Verdict.NOT_COMPARABLE, Cause.PARTIAL),
    (lambda e: _data(e, subset=False), Verdict.NOT_COMPARABLE, Cause.DATA_CHANGED),
    (lambda e: f"{e.unscored} instances are scored on one side only" if e.unscored else "",
     Verdict.NOT_COMPARABLE, Cause.PARTIAL),
)  # fmt: skip


def judge(evidence: Evidence) -> Judgement:
    """The verdict on a run whose score is known, or why there is none."""
    judgement = judge_recipe(evidence)
    if judgement:
        return judgement
    if evidence.ours is None or evidence.published is None:
        side = "ours" if evidence.ours is None else "published"
        return Judgement(Verdict.NOT_COMPARABLE, f"HELM computed no score ({side})", Cause.NO_SCORE)
    return judge_difference(evidence.ours, evidence.published, evidence.interval, evidence.agreement)


def judge_recipe(evidence: Evidence) -> Optional[Judgement]:
    """The verdict as far as it does not need a score; ``None``: nothing speaks against comparing scores."""
    for reason_of, verdict, cause in _RULES:
        reason = reason_of(evidence)
        if reason:
            return Judgement(verdict, reason, cause)
    return None


def judge_difference(
    ours: float, published: float, interval: Optional[Interval], agreement: Optional[float]
) -> Judgement:
    """The verdict on two comparable scores.

    Args:
        interval: confidence interval of ours minus published.
        agreement: share of instances with the same score, 0 to 1.
    """
    difference = ours - published
    equal = abs(difference) <= ROUNDING * max(1.0, abs(published))
    if equal and agreement in (None, 1.0):
        return Judgement(Verdict.REPRODUCED, "same score" + (", same on every instance" if agreement else ""))
    agreeing = "" if agreement is None else f", {agreement:.1%} of instances agree"
    if interval is None:
        return Judgement(Verdict.DRIFTED, f"difference {difference:+.4f}, and no data to estimate its noise from")
    shown = f"difference {difference:+.4f}, interval {interval.low:+.4f} to {interval.high:+.4f}{agreeing}"
    if equal or interval.holds(0.0):
        return Judgement(Verdict.WITHIN_NOISE, shown)
    return Judgement(Verdict.DRIFTED, shown)


def worst(judgements: Sequence[Judgement]) -> Judgement:
    """The one with the worst verdict; the first of several.

    Raises:
        ValueError: there is none.
    """
    return max(judgements, key=lambda judgement: judgement.verdict.severity)
