"""Statistics, intervals, matching and verdicts on made-up numbers."""

from __future__ import annotations

import datetime
from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helm_repro.catalogue.models import Judge
from helm_repro.results import bootstrap
from helm_repro.results.bootstrap import Interval
from helm_repro.results.instances import InstanceCheck, InstanceSet, asked, compare_instances, digest
from helm_repro.results.judges import Replaced, replaced, replacements_of, retired_judge
from helm_repro.results.matching import counterparts, run_key, runs_of
from helm_repro.results.recipe import Difference
from helm_repro.results.statistics import Headline, total, win_rates
from helm_repro.results.verdicts import Cause, Evidence, Verdict, judge

HEADLINE = Headline("mmlu", "MMLU", "quasi_exact_match", "test")


def stat(name: str, value: float, split: str = "test", **more: Any) -> dict[str, Any]:
    return {"name": {"name": name, "split": split, **more}, "count": 1, "sum": value, "mean": value}


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ([stat("quasi_exact_match", 0.5)], 0.5),
        ([stat("quasi_exact_match", 0.9, "valid"), stat("quasi_exact_match", 0.5)], 0.5),
        ([stat("quasi_exact_match", 0.5), stat("quasi_exact_match", 0.1, perturbation={"name": "robustness"})], 0.5),
        ([stat("exact_match", 0.25)], 0.25),
        ([stat("quasi_exact_match", 0.2, sub_split="a"), stat("quasi_exact_match", 0.4, sub_split="b")], 0.3),
        ([stat("f1", 0.25)], None),
        ([], None),
    ],
)
def test_headline_statistic(stats: list[dict[str, Any]], expected: Optional[float]) -> None:
    found = total(stats, HEADLINE)
    assert (found.mean if found else None) == pytest.approx(expected)


def test_win_rates() -> None:
    columns = [([0.9, 0.5, 0.5, None], False), ([1.0, 2.0, 3.0, 4.0], True), ([7, 8, 9, 9], None)]
    assert win_rates(columns) == pytest.approx([1.0, (0.25 + 2 / 3) / 2, (0.25 + 1 / 3) / 2, 0.0])


def test_bootstrap_is_reproducible_and_ordered() -> None:
    values = np.array([0.0, 1.0] * 200)
    first = bootstrap.resampled_means(values, bootstrap.generator("a"))
    again = bootstrap.resampled_means(values, bootstrap.generator("a"))
    assert (first == again).all()
    assert first.shape == (bootstrap.RESAMPLES,)
    assert not (first == bootstrap.resampled_means(values, bootstrap.generator("b"))).all()


def test_bootstrap_standard_error_is_that_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(size=500)
    means = bootstrap.resampled_means(values, bootstrap.generator("x"))
    assert means.std() == pytest.approx(values.std() / np.sqrt(500), rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=0.01)


def test_interval_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(7)
    hits = 0
    for trial in range(300):
        values = (random.random(400) < 0.7).astype(float)
        means = bootstrap.resampled_means(values, bootstrap.generator(str(trial)), 2000)
        hits += bootstrap.interval(means).holds(0.7)
    assert 0.91 <= hits / 300 <= 0.98


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_interval_lies_within_the_values(values: list[float]) -> None:
    means = bootstrap.resampled_means(np.array(values), bootstrap.generator("h"), 500)
    found = bootstrap.interval(means)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def instance(identifier: str, text: str, split: str = "test") -> dict[str, Any]:
    references = [{"output": {"text": "A"}, "tags": ["correct"]}]
    return {"id": identifier, "input": {"text": text}, "references": references, "split": split}


def instances(*pairs: tuple[str, str]) -> InstanceSet:
    return InstanceSet(tuple(asked(instance(*pair)) for pair in pairs))


def test_instances_are_compared_by_what_is_asked() -> None:
    ours = instances(("id1", "one"), ("id2", "two"), ("id3", "two"))
    assert compare_instances(ours, ours).same
    moved = compare_instances(ours, instances(("id7", "one"), ("id2", "two"), ("id3", "two")))
    assert moved.same
    assert moved.renumbered == 1
    changed = compare_instances(ours, instances(("id1", "ONE"), ("id2", "two"), ("id3", "two")))
    assert not changed.same
    assert not changed.subset
    assert changed.common == 2
    assert compare_instances(instances(("id1", "one")), ours).subset


def test_digest_knows_old_and_new_forms_and_ignores_paths() -> None:
    new = instance("id1", "one")
    old = {**new, "input": "one", "references": [{"output": "A", "tags": ["correct"]}]}
    assert digest(new) == digest(old)
    pictures = [
        {**new, "input": {"multimedia_content": {"media_objects": [{"content_type": "image/png", "location": place}]}}}
        for place in ("/data/a/1.png", "benchmark_output/a/1.png", "/data/a/2.png")
    ]
    assert digest(pictures[0]) == digest(pictures[1]) != digest(pictures[2])


def test_matching_runs() -> None:
    names = [
        "mmlu:subject=law,method=joint,model=a_b",
        "mmlu:method=joint,subject=law,model=c_d",
        "imdb:model=a_b,data_augmentation=canonical",
    ]
    published = runs_of(names, "a/b")
    assert set(published.values()) == {names[0], names[2]}
    ours = ["mmlu:method=joint,model=x_y,model_deployment=q_y,subject=law", "imdb:model=x_y", "raft:model=x_y"]
    assert counterparts(ours, published) == {ours[0]: names[0], ours[1]: names[2], ours[2]: None}
    assert run_key("boolq:model=a_b") == run_key("boolq:model=c_d")


SAME = InstanceCheck(100, 100, 100, 0)
GOOD = {"published_run": "r", "instances": SAME, "ours": 0.5, "published": 0.5, "agreement": 1.0}
LIMIT = Difference("limits", "adapter_spec.max_eval_instances", 10, 1000)


@pytest.mark.parametrize(
    ("evidence", "verdict", "cause"),
    [
        ({}, Verdict.REPRODUCED, None),
        ({"agreement": 0.98, "interval": Interval(-0.01, 0.01)}, Verdict.WITHIN_NOISE, None),
        ({"ours": 0.49, "agreement": 0.97, "interval": Interval(-0.03, 0.01)}, Verdict.WITHIN_NOISE, None),
        ({"ours": 0.4, "agreement": 0.9, "interval": Interval(-0.15, -0.05)}, Verdict.DRIFTED, None),
        ({"ours": 0.4, "agreement": None}, Verdict.DRIFTED, None),
        ({"recipe": [Difference("prompt", "adapter_spec.instructions", "a", "b")]}, Verdict.RECIPE_DIFFERS, None),
        ({"recipe": [Difference("deployment", "adapter_spec.model_deployment", "a", "b")]}, Verdict.REPRODUCED, None),
        ({"recipe": [LIMIT]}, Verdict.REPRODUCED, None),
        ({"recipe": [LIMIT], "instances": InstanceCheck(10, 1000, 10, 0)}, Verdict.NOT_COMPARABLE, Cause.LIMITS_DIFFER),
        ({"recipe": [LIMIT], "instances": None}, Verdict.NOT_COMPARABLE, Cause.LIMITS_DIFFER),
        ({"recipe": [Difference("judges", "judges.X", None, "present")]}, Verdict.NOT_COMPARABLE, Cause.JUDGE_MISSING),
        ({"judgements_missing": ["x.score"]}, Verdict.NOT_COMPARABLE, Cause.JUDGE_MISSING),
        ({"judge_replaced": "x for y"}, Verdict.NOT_COMPARABLE, Cause.JUDGE_REPLACED),
        ({"judge_retired": "gone"}, Verdict.NOT_COMPARABLE, Cause.JUDGE_RETIRED),
        ({"instances": InstanceCheck(90, 100, 90, 0)}, Verdict.NOT_COMPARABLE, Cause.PARTIAL),
        ({"instances": InstanceCheck(100, 100, 98, 0)}, Verdict.NOT_COMPARABLE, Cause.DATA_CHANGED),
        ({"unscored": 3}, Verdict.NOT_COMPARABLE, Cause.PARTIAL),
        ({"our_failure": "rate limit: 429"}, Verdict.NOT_COMPARABLE, Cause.PARTIAL),
        ({"our_failure": "unknown model", "model_retired": True}, Verdict.NOT_COMPARABLE, Cause.MODEL_RETIRED),
        ({"published_run": None}, Verdict.NOT_COMPARABLE, Cause.NOT_PUBLISHED),
        ({"published": None}, Verdict.NOT_COMPARABLE, Cause.NO_SCORE),
    ],
)
def test_verdicts(evidence: dict[str, Any], verdict: Verdict, cause: Optional[Cause]) -> None:
    found = judge(Evidence(**{**GOOD, **evidence}))
    assert (found.verdict, found.cause) == (verdict, cause)
    assert found.reason


def flipped(count: int, share: float, one_way: bool) -> Verdict:
    """The verdict on ``count`` right-or-wrong answers of which ``share`` came out differently."""
    random = np.random.default_rng(3)
    before = (random.random(count) < 0.7).astype(float)
    after = before.copy()
    candidates = np.flatnonzero(before == 1) if one_way else np.arange(count)
    chosen = random.choice(candidates, int(share * count), replace=False)
    after[chosen] = 1 - after[chosen]
    means = bootstrap.resampled_means(after - before, bootstrap.generator("f"))
    agreement = float((after == before).mean())
    scores = {"ours": float(after.mean()), "published": float(before.mean())}
    return judge(Evidence(**{**GOOD, **scores, "interval": bootstrap.interval(means), "agreement": agreement})).verdict


def test_flipped_answers() -> None:
    # 3 % of one hundred answers is no evidence; 3 % of a thousand, all for the worse, is.
    assert flipped(100, 0.03, one_way=False) == Verdict.WITHIN_NOISE
    assert flipped(100, 0.03, one_way=True) == Verdict.WITHIN_NOISE
    assert flipped(1000, 0.03, one_way=True) == Verdict.DRIFTED
    assert flipped(1000, 0.0, one_way=True) == Verdict.REPRODUCED


def test_retired_judge() -> None:
    day = datetime.date(2026, 1, 1)
    judges = [Judge(model="openai/old", retired=day, used_by=["harm_bench"])]
    assert retired_judge(judges, "harm_bench:model=a_b", day)
    assert retired_judge(judges, "bbq:model=a_b", day) is None
    assert retired_judge(judges, "harm_bench:model=a_b", day - datetime.timedelta(days=1)) is None


def test_replaced_judges() -> None:
    judges = [Judge(model="openai/old", deployment="site/old", used_by=["harm_bench"])]
    by_model, by_deployment = (replaced({name: "x/y"}, judges) for name in ("openai/old", "site/old"))
    assert by_model == by_deployment == {Replaced("openai/old", "x/y", ("harm_bench",))}
    assert replacements_of("harm_bench:model=a_b", by_model) == "x/y scored in place of openai/old"
    assert replacements_of("bbq:model=a_b", by_model) is None
    assert not replaced({"site/old": "openai/old"}, judges), "the same model through another service"
    own = replaced({"my/judge": "x/y"}, judges)
    assert replacements_of("bbq:model=a_b", own), "which runs a judge of one's own conf scores is not known"
