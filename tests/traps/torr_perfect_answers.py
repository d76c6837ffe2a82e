"""Runs in ToRR's environment: score perfect answers to 3 of 9 instances with HELM's unitxt metric.

Prints the score. With the argument ``plugin`` the leaderboard's plugin is loaded first, as
``helm-run --plugins`` does.
"""

from __future__ import annotations

import sys

from helm.benchmark.adaptation.adapter_spec import AdapterSpec
from helm.benchmark.adaptation.request_state import RequestState
from helm.benchmark.adaptation.scenario_state import ScenarioState
from helm.benchmark.metrics.unitxt_metrics import UnitxtMetric
from helm.benchmark.run import import_user_plugins
from helm.benchmark.runner import downsample_eval_instances
from helm.benchmark.scenarios.unitxt_scenario import UnitxtScenario
from helm.common.request import GeneratedOutput, Request, RequestResult
from unitxt.card import TaskCard
from unitxt.loaders import LoadFromDictionary
from unitxt.task import Task
from unitxt.templates import InputOutputTemplate

SAMPLED = 3


def recipe() -> dict:
    card = TaskCard(
        # Two of the answers occur twice, so that a wrong reference may be right by chance, as in ToRR.
        loader=LoadFromDictionary(data={"test": [{"question": f"q{i}", "answer": f"a{i % 7}"} for i in range(9)]}),
        task=Task(
            input_fields={"question": str},
            reference_fields={"answer": str},
            prediction_type=str,
            metrics=["metrics.accuracy"],
        ),
    )
    template = InputOutputTemplate(input_format="{question}", output_format="{answer}")
    return {"card": card, "template": template, "split": "test"}


def answered(instance) -> RequestState:
    result = RequestResult(
        success=True,
        embedding=[],
        completions=[GeneratedOutput(text=instance.references[0].output.text, logprob=0, tokens=[])],
        cached=False,
    )
    return RequestState(
        instance=instance,
        reference_index=None,
        request_mode=None,
        train_trial_index=0,
        output_mapping=None,
        request=Request(model="simple/model1", model_deployment="simple/model1"),
        result=result,
        num_train_instances=0,
        prompt_truncated=False,
    )


def main() -> None:
    if "plugin" in sys.argv[1:]:
        import_user_plugins(["helm_repro.inside.plugins.torr_references"])
    instances = downsample_eval_instances(UnitxtScenario(**recipe()).get_instances(""), SAMPLED, ["test"])
    state = ScenarioState(adapter_spec=AdapterSpec(), request_states=[answered(i) for i in instances])
    result = UnitxtMetric(**recipe()).evaluate(state, None, "", 1)
    [accuracy] = [stat.mean for stat in result.aggregated_stats if stat.name.name == "accuracy"]
    print(f"accuracy {accuracy:.2f} of {len(state.request_states)} answers")


if __name__ == "__main__":
    main()
