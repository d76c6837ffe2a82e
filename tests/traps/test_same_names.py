"""Entries that give runs of one name: in HELM the last one's files remain, so that one is run, and only that one."""

from __future__ import annotations

import pytest

from helm_repro.inside.plan.make import _overwrite


@pytest.mark.helm
def test_decodingtrust_keeps_the_last_of_each_name(plan_board):
    plan = plan_board("decodingtrust")
    by_name = {spec["name"].partition(",model=")[0]: spec["entry"] for spec in plan["run_specs"]}
    toxicity = next(entry for name, entry in by_name.items() if name.startswith("decodingtrust_toxicity_prompts"))
    assert "subject=gpt-4," in toxicity
    fairness = by_name["decodingtrust_fairness:task=predict_annual_income"]
    assert "test_base_rate=0.5,num_train=32" in fairness
    assert len(plan["left_out"]) == 178 - 167
    assert all("is overwritten by that of" in item["reason"] for item in plan["left_out"])


def test_helm_run_is_not_given_what_would_be_overwritten():
    plan = {
        "run_specs": [{"name": "one", "entry": "first"}, {"name": "two", "entry": "first"}],
        "entries": [{"conf": {}, "runs": ["one", "two"], "shared": []}],
        "left_out": [],
    }
    _overwrite(plan, ["one"], by="second")
    assert [spec["name"] for spec in plan["run_specs"]] == ["two"]
    assert plan["entries"] == [{"conf": {}, "runs": ["two"], "shared": ["one"]}]
    _overwrite(plan, ["two"], by="third")
    assert plan["run_specs"] == plan["entries"] == []
    assert [item["reason"] for item in plan["left_out"]] == [
        "its run one is overwritten by that of second, as in HELM",
        "its run two is overwritten by that of third, as in HELM",
    ]
