"""Runs with HELM: let MedHELM's jury annotate an answer while its judges give what the argument says.

``failing``: every request fails. ``one``: only the last judge answers. ``unreadable``: all
answer, but not as JSON. With ``plugin`` the leaderboards' plugin is loaded first. Prints
the score, or the error.
"""

from __future__ import annotations

import sys

from helm.benchmark.adaptation.adapter_spec import AdapterSpec
from helm.benchmark.adaptation.request_state import RequestState
from helm.benchmark.annotation.aci_bench_annotator import ACIBenchAnnotator
from helm.benchmark.annotation.model_as_judge import AnnotatorModelInfo
from helm.benchmark.metrics.llm_jury_metrics import LLMJuryMetric
from helm.benchmark.run import import_user_plugins
from helm.benchmark.scenarios.scenario import Input, Instance
from helm.common.request import GeneratedOutput, Request, RequestResult

JUDGES = {name: AnnotatorModelInfo(f"maker/{name}", f"site/{name}") for name in ("gpt", "llama", "claude")}
GRADES = '{"accuracy": {"score": 5, "explanation": ""}, "completeness": {"score": 5, "explanation": ""}, \
"clarity": {"score": 5, "explanation": ""}}'


class Judges:
    def __init__(self, behaviour: str):
        self.behaviour = behaviour

    def make_request(self, request: Request) -> RequestResult:
        if self.behaviour == "failing" or (self.behaviour == "one" and request.model != "maker/claude"):
            return RequestResult(success=False, embedding=[], completions=[], cached=False, error="503")
        text = "no JSON" if self.behaviour == "unreadable" else GRADES
        return RequestResult(
            success=True, embedding=[], completions=[GeneratedOutput(text=text, logprob=0, tokens=[])], cached=False
        )


def main(behaviour: str, *rest: str) -> None:
    if "plugin" in rest:
        import_user_plugins(["helm_repro.inside.plugins.jury_must_answer"])
    state = RequestState(
        instance=Instance(input=Input(text="question"), references=[]),
        reference_index=None,
        request_mode=None,
        train_trial_index=0,
        output_mapping=None,
        request=Request(model="simple/model1", model_deployment="simple/model1"),
        result=RequestResult(
            success=True, embedding=[], completions=[GeneratedOutput(text="note", logprob=0, tokens=[])], cached=False
        ),
        num_train_instances=0,
        prompt_truncated=False,
    )
    try:
        annotations = ACIBenchAnnotator(auto_client=Judges(behaviour), annotator_models=JUDGES).annotate(state)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return
    state = RequestState(**{**vars(state), "annotations": {"aci_bench": annotations}})
    metric = LLMJuryMetric("aci_bench_accuracy", "aci_bench", JUDGES, default_score=1.0)
    [stat] = metric.evaluate_generation(AdapterSpec(), state, None, "")
    print(f"score {stat.mean}")


if __name__ == "__main__":
    main(*sys.argv[1:])
