"""Entries that give runs of one name: in HELM the last one's files remain, so that one is run, and only that one."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.helm


def test_decodingtrust_keeps_the_last_of_each_name(plan_board):
    plan = plan_board("decodingtrust")
    by_name = {spec["name"].partition(",model=")[0]: spec["entry"] for spec in plan["run_specs"]}
    toxicity = next(entry for name, entry in by_name.items() if name.startswith("decodingtrust_toxicity_prompts"))
    assert "subject=gpt-4," in toxicity
    fairness = by_name["decodingtrust_fairness:task=predict_annual_income"]
    assert "test_base_rate=0.5,num_train=32" in fairness
    assert len(plan["left_out"]) == 178 - 167
    assert all("is overwritten by that of" in item["reason"] for item in plan["left_out"])


def test_helm_run_gets_only_the_last(helm_entrypoint, tmp_path):
    conf = tmp_path / "same.conf"
    conf.write_text(
        'entries: [{description: "synthetic_reasoning:mode=induction,model=text,max_train_instances=2", priority: 1}\n'
        '{description: "synthetic_reasoning:mode=induction,model=text,max_train_instances=2,num_outputs=1"}]\n'
    )
    variables = {"MODELS_TO_RUN": "simple/model1", "RUN_ENTRIES_CONF_PATH": str(conf), "MAX_EVAL_INSTANCES": "2"}
    done = helm_entrypoint("plan", "--json", **variables)
    assert done.returncode == 0, done.stderr
