"""Runs whose instances are divided into sub-splits, as CivilComments': HELM writes a statistic for each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from helm_repro.results.layout import RunFiles
from helm_repro.results.run_comparison import Side, compare_run
from helm_repro.results.scores import read_scores
from helm_repro.results.statistics import Headline, instances, largest_variance, total
from helm_repro.results.store import FolderStore

RUN = "civil_comments:demographic=all,model=a_b"
HEADLINE = Headline("civil_comments", "CivilComments", "quasi_exact_match", "test")
SCHEMA = {
    "metrics": [{"name": "quasi_exact_match", "lower_is_better": False}],
    "run_groups": [
        {
            "name": "civil_comments",
            "display_name": "CivilComments",
            "environment": {"main_name": "quasi_exact_match", "main_split": "test"},
        }
    ],
}
SPEC = {"name": RUN, "groups": ["civil_comments"], "adapter_spec": {"model": "a/b"}, "metric_specs": []}
SIZES = {"toxic": 120, "non-toxic": 380}
RIGHT = {"toxic": 0.2, "non-toxic": 0.9}
TRIALS = 3

# HELM's own statistics of such a run, and what its summarizer puts into the cell.
_IN_HELM = """
import json, sys
from helm.benchmark.augmentations.perturbation_description import PerturbationDescription
from helm.benchmark.metrics.metric_name import MetricName
from helm.benchmark.metrics.statistic import Stat, merge_stat
from helm.benchmark.presentation.schema import MetricNameMatcher
from helm.benchmark.presentation.summarize import get_unique_stat_by_matcher
from helm.common.general import asdict_without_nones

metric, right, sizes, trials = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
perturbed = PerturbationDescription(name="robustness", computed_on="worst")
stats = {}
for sub_split, size in sizes.items():
    for trial in range(trials):
        where = {"split": "test", "sub_split": sub_split}
        merge_stat(stats, Stat(MetricName("num_instances", **where)).add(size))
        merge_stat(stats, Stat(MetricName(metric, **where)).add(right[sub_split] + trial / 100))
        merge_stat(stats, Stat(MetricName(metric, perturbation=perturbed, **where)).add(0))
        merge_stat(stats, Stat(MetricName(metric, split="valid", sub_split=sub_split)).add(0))
cell = get_unique_stat_by_matcher(list(stats.values()), MetricNameMatcher("quasi_exact_match", "test"))
print(json.dumps({"stats": [asdict_without_nones(stat) for stat in stats.values()], "cell": cell.mean}))
"""


@pytest.mark.helm
@pytest.mark.parametrize("metric", ["quasi_exact_match", "exact_match"])
def test_scores_are_those_of_helm_s_tables(helm_python: Path, tmp_path: Path, metric: str) -> None:
    arguments = [metric, json.dumps(RIGHT), json.dumps(SIZES), str(TRIALS)]
    done = subprocess.run([str(helm_python), "-c", _IN_HELM, *arguments], capture_output=True, text=True, check=True)
    made = json.loads(done.stdout.splitlines()[-1])
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    write_run(tmp_path / RUN, made["stats"])
    (score,) = read_scores(tmp_path)
    assert score.value == pytest.approx(made["cell"])
    assert score.value == pytest.approx((0.2 + 0.9) / 2 + 0.01)
    assert (score.instances, score.group, score.metric) == (500, "CivilComments", "quasi_exact_match")


def test_the_interval_knows_how_many_instances_each_sub_split_has(tmp_path: Path) -> None:
    for suite in ("ours", "published"):
        write_run(tmp_path / "runs" / suite / RUN, stats(RIGHT, SIZES))
    sides = [Side(RunFiles(FolderStore(tmp_path), suite, RUN)) for suite in ("ours", "published")]
    found = compare_run(*sides, HEADLINE)
    assert found.estimated
    assert found.interval is not None
    variance = (0.2 * 0.8 / 120 + 0.9 * 0.1 / 380) / 4
    half = NormalDist().inv_cdf(0.975) * (2 * variance) ** 0.5
    assert (found.interval.low, found.interval.high) == pytest.approx((-half, half))


def test_largest_variance_is_that_of_right_and_wrong_answers() -> None:
    random = np.random.default_rng(5)
    means = np.mean([random.binomial(SIZES[part], RIGHT[part], 200_000) / SIZES[part] for part in SIZES], axis=0)
    assert largest_variance(stats(RIGHT, SIZES), HEADLINE) == pytest.approx(float(means.var()), rel=0.02)


def test_one_split_has_the_variance_of_its_mean() -> None:
    assert largest_variance(stats({None: 0.25}, {None: 100}), HEADLINE) == pytest.approx(0.25 * 0.75 / 100)


@pytest.mark.parametrize(
    ("right", "sizes"),
    [(RIGHT, {"toxic": 120}), ({**RIGHT, "toxic": 1.5}, SIZES), ({}, SIZES)],
    ids=["not counted", "no share", "no score"],
)
def test_no_variance_without_counts_or_shares(right: dict[Any, float], sizes: dict[Any, int]) -> None:
    assert largest_variance(stats(right, sizes), HEADLINE) is None


def test_statistics_of_no_value_have_no_total() -> None:
    empty = {"name": {"name": "quasi_exact_match", "split": "test"}, "count": 0, "sum": 0}
    assert total([empty], HEADLINE) is None
    assert instances([empty], HEADLINE) is None


def stats(right: dict[Any, float], sizes: dict[Any, int]) -> list[dict[str, Any]]:
    """As HELM writes them for one trial."""
    named = [("quasi_exact_match", right), ("num_instances", sizes)]
    return [
        {"name": {"name": name, "split": "test"} | ({"sub_split": part} if part else {}), "count": 1, "sum": value}
        for name, values in named
        for part, value in values.items()
    ]


def write_run(folder: Path, written: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True)
    (folder / "run_spec.json").write_text(json.dumps(SPEC))
    (folder / "stats.json").write_text(json.dumps(written))
