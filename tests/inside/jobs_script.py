"""Run by HELM's Python: how many processes, and which run first. Prints JSON."""

from __future__ import annotations

import dataclasses
import json
from unittest import mock

from helm.benchmark.adaptation.adapter_spec import AdapterSpec
from helm.benchmark.augmentations.data_augmenter import DataAugmenterSpec
from helm.benchmark.augmentations.perturbation import PerturbationSpec
from helm.benchmark.config_registry import register_builtin_configs_from_helm_package
from helm.benchmark.run_spec import RunSpec
from helm.benchmark.scenarios.scenario import ScenarioSpec

from helm_repro.inside.parallel import jobs


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
    print(json.dumps({"order": [one.name for one in jobs.longest_first(sizes)], "chosen": chosen}))


if __name__ == "__main__":
    main()
