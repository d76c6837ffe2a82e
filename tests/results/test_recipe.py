"""Which differences between run specs count, and which are growth of HELM's classes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from helm_repro.results.recipe import differences

METRICS = "helm.benchmark.metrics.basic_metrics"
SPEC: dict[str, Any] = {
    "name": "mmlu:subject=anatomy,model=a_b",
    "scenario_spec": {
        "class_name": "helm.benchmark.scenarios.mmlu_scenario.MMLUScenario",
        "args": {"subject": "anatomy"},
    },
    "adapter_spec": {
        "method": "multiple_choice_joint",
        "global_prefix": "",
        "global_suffix": "",
        "instructions": "The following are questions.",
        "chain_of_thought_prefix": "",
        "chain_of_thought_suffix": "\n",
        "max_eval_instances": 1000,
        "num_train_trials": 1,
        "num_trials": 1,
        "model": "a/b",
        "model_deployment": "together/b",
        "temperature": 0.0,
        "max_tokens": 5,
        "stop_sequences": ["\n"],
        "multi_label": False,
    },
    "metric_specs": [
        {"class_name": f"{METRICS}.BasicGenerationMetric", "args": {"names": ["exact_match", "quasi_exact_match"]}},
        {"class_name": f"{METRICS}.BasicReferenceMetric", "args": {}},
        {"class_name": f"{METRICS}.InstancesPerSplitMetric", "args": {}},
    ],
    "data_augmenter_spec": {"perturbation_specs": [], "seeds_per_instance": 1},
    "groups": ["mmlu"],
    "annotators": [{"class_name": "helm.benchmark.annotation.x.JudgeAnnotator", "args": {}}],
}  # fmt: skip


def published(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    change(spec)
    return spec


def as_of_2022(spec: dict[str, Any]) -> None:
    """A run spec as HELM 0.2.2 wrote it."""
    for field in ("global_suffix", "chain_of_thought_prefix", "chain_of_thought_suffix", "num_trials", "multi_label"):
        del spec["adapter_spec"][field]
    del spec["adapter_spec"]["model_deployment"]
    spec["scenario_spec"]["class_name"] = "helm.benchmark.scenarios.mmlu.MMLUScenario"
    spec["metric_specs"] = [
        {"class_name": "helm.benchmark.basic_metrics.BasicMetric", "args": {"names": ["exact_match"]}}
    ]
    spec["groups"] = ["mmlu", "mmlu_anatomy"]


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: None,
        as_of_2022,
        lambda spec: spec["adapter_spec"].update(eval_splits=None, random=None),
        lambda spec: spec["adapter_spec"].update(temperature=0),
        lambda spec: spec["metric_specs"].pop(),
        lambda spec: spec["metric_specs"][0]["args"]["names"].remove("exact_match"),
        lambda spec: spec["data_augmenter_spec"].update(should_include_original_eval=True),
        lambda spec: spec.pop("groups"),
    ],
)
def test_growth_is_no_difference(change: Callable[[dict[str, Any]], Any]) -> None:
    assert differences(SPEC, published(change)) == []


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        (lambda s: s["adapter_spec"].update(instructions="One letter."), "prompt", "adapter_spec.instructions"),
        (lambda s: s["adapter_spec"].update(global_prefix="[INST]"), "prompt", "adapter_spec.global_prefix"),
        (lambda s: s["adapter_spec"].update(chain_of_thought_suffix="So"), "prompt",
         "adapter_spec.chain_of_thought_suffix"),
        (lambda s: s["adapter_spec"].update(max_tokens=100), "decoding", "adapter_spec.max_tokens"),
        (lambda s: s["adapter_spec"].update(max_eval_instances=100), "limits", "adapter_spec.max_eval_instances"),
        (lambda s: s["adapter_spec"].update(num_train_trials=3), "limits", "adapter_spec.num_train_trials"),
        (lambda s: s["adapter_spec"].update(model_deployment="hf/b"), "deployment", "adapter_spec.model_deployment"),
        (lambda s: s["scenario_spec"]["args"].update(subject="law"), "scenario", "scenario_spec.args.subject"),
        (lambda s: s["metric_specs"].append({"class_name": "x.BiasMetric"}), "metrics", "metrics.BiasMetric"),
        (lambda s: s["metric_specs"][0]["args"]["names"].append("f1"), "metrics",
         "metrics.BasicGenerationMetric.names"),
        (lambda s: s["annotators"].append({"class_name": "x.Second"}), "judges", "judges.Second"),
        (lambda s: s["annotators"].clear(), "judges", "judges.JudgeAnnotator"),
        (lambda s: s["data_augmenter_spec"]["perturbation_specs"].append({"class_name": "x.Typos"}), "perturbations",
         "data_augmenter_spec.perturbation_specs"),
    ],
)  # fmt: skip
def test_difference_is_named(change: Callable[[dict[str, Any]], Any], kind: str, field: str) -> None:
    (found,) = differences(SPEC, published(change))
    assert (found.kind, found.field) == (kind, field)
    assert found.describe().startswith(f"{field}: ours ")
