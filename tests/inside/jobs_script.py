"""Run by HELM's Python: how many processes, and which run first. Prints JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from unittest import mock

from helm.benchmark.adaptation.adapter_spec import AdapterSpec
from helm.benchmark.annotation.annotator import AnnotatorSpec
from helm.benchmark.annotation.model_as_judge import AnnotatorModelInfo
from helm.benchmark.augmentations.data_augmenter import DataAugmenterSpec
from helm.benchmark.augmentations.perturbation import PerturbationSpec
from helm.benchmark.config_registry import register_builtin_configs_from_helm_package
from helm.benchmark.metrics.metric import MetricSpec
from helm.benchmark.model_deployment_registry import ClientSpec, ModelDeployment, register_model_deployment
from helm.benchmark.run_spec import RunSpec
from helm.benchmark.scenarios.scenario import ScenarioSpec

from helm_repro.inside.deployments.substitute import CLASS_NAME
from helm_repro.inside.parallel import jobs

HOSTED = "openai/gpt-4o-2024-05-13"


def spec(name: str, deployment: str = "openai/gpt-4o-2024-11-20", perturbed: bool = False, **adapter: int) -> RunSpec:
    perturbations = [PerturbationSpec(class_name="helm.X")] if perturbed else []
    return RunSpec(
        name=name,
        scenario_spec=ScenarioSpec(class_name="helm.Scenario"),
        adapter_spec=AdapterSpec(method="generation", model_deployment=deployment, **adapter),
        metric_specs=[],
        data_augmenter_spec=DataAugmenterSpec(
            perturbation_specs=perturbations,
            should_augment_eval_instances=perturbed,
            should_include_original_eval=perturbed,
        ),
    )


def replace_judge(name: str, substitute: str) -> None:
    """As JUDGE_OVERRIDES does."""
    client = ClientSpec(class_name=CLASS_NAME, args={"substitute": substitute, "local_path": "."})
    register_model_deployment(ModelDeployment(name=name, client_spec=client, model_name=HOSTED))


def judged(**fields: Any) -> list[RunSpec]:
    return [dataclasses.replace(spec("hosted", max_eval_instances=10), **fields)] * 20


def with_jury(deployment: str) -> list[RunSpec]:
    jury = {"one": AnnotatorModelInfo(model_name=deployment, model_deployment=deployment)}
    return judged(annotators=[AnnotatorSpec("helm.Jury", {"annotator_models": jury})])


def judges_and_jobs() -> dict[str, tuple[list[str], int]]:
    """Per case the deployments that may be asked for judges, and the number of processes."""
    replace_judge("judge/here", "huggingface/gpt2")
    replace_judge("judge/elsewhere", HOSTED)
    annotated = judged(annotators=[AnnotatorSpec("helm.Annotator")])
    cases = {
        "hosted": (annotated, [HOSTED]),
        "by another": (annotated, ["judge/elsewhere"]),
        "here": (annotated, [HOSTED, "judge/here"]),
        "here, not asked": (judged(), ["judge/here"]),
        "here, by a metric": (judged(metric_specs=[MetricSpec("x.PrometheusVisionCritiqueMetric")]), ["judge/here"]),
        "unknown": (annotated, ["nobody/knows"]),
        "jury": (with_jury(HOSTED), []),
        "jury here": (with_jury("huggingface/gpt2"), []),
        "jury replaced": (with_jury("judge/here"), []),
    }
    found = {}
    for name, (run_specs, known) in cases.items():
        judges = jobs.judges_of(run_specs, known)
        found[name] = (judges, jobs.choose_jobs("auto", run_specs, judges))
    return found


def main() -> None:
    register_builtin_configs_from_helm_package()
    sizes = [
        spec("small", max_eval_instances=10),
        spec("as small", max_eval_instances=10),
        spec("trials", max_eval_instances=10, num_train_trials=3),
        spec("large", max_eval_instances=100),
        spec("perturbed", max_eval_instances=60, perturbed=True),
    ]
    hosted = [dataclasses.replace(sizes[0], name=str(number)) for number in range(20)]
    local = [spec("local", deployment="huggingface/gpt2")] * 20
    chosen = {}
    for cpus in (1, 2, 8):
        with mock.patch.object(jobs, "usable_cpus", return_value=cpus):
            chosen[cpus] = jobs.choose_jobs("auto", hosted)
            chosen[f"{cpus}, local"] = jobs.choose_jobs("auto", local)
    chosen["asked"] = jobs.choose_jobs("7", hosted)
    chosen["fewer runs"] = jobs.choose_jobs("7", hosted[:3])
    with mock.patch.object(jobs, "usable_cpus", return_value=8):
        judges = judges_and_jobs()
    order = [one.name for one in jobs.longest_first(sizes)]
    print(json.dumps({"order": order, "chosen": chosen, "judges": judges}))


if __name__ == "__main__":
    main()
