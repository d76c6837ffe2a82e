"""Entries for a group of models, and runs whose groups no schema has."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import yaml

pytestmark = pytest.mark.helm


def group_of(item) -> str:
    return item["reason"].rpartition("model=")[2]


def test_a_chat_model_leaves_out_classic_entries_that_were_never_meant_for_it(plan_board):
    plan = plan_board("classic")
    left_out = Counter(group_of(item) for item in plan["left_out"])
    # Published Classic asked these entries only of models with the group's tag; HELM 0.5.12 and later ask all.
    assert set(left_out) == {"full_functionality_text", "code", "ablation_text", "limited_functionality_text"} & set(
        left_out
    )
    assert left_out["full_functionality_text"] > 0
    everything = plan_board("classic", MODEL_GROUPS="all")
    assert len(plan["run_specs"]) < len(everything["run_specs"])
    kept = {spec["name"] for spec in plan["run_specs"]}
    for spec in everything["run_specs"]:
        left = any(item["entry"] == spec["entry"] for item in plan["left_out"])
        assert left != (spec["name"] in kept)


def test_the_plan_names_each_entry_and_group_that_is_left_out(run_board):
    done = run_board("classic", "plan")
    assert done.returncode == 0
    assert "does not belong to the group model=full_functionality_text" in done.stdout


def test_slphelm_shows_its_runs(plan_board, boards):
    plan = plan_board("slphelm")
    schema = yaml.safe_load((boards("slphelm") / "schema_slphelm.yaml").read_text())
    shown = {group["name"] for group in schema["run_groups"] if group.get("metric_groups")}
    added = json.loads((boards("slphelm") / "board.json").read_text())["leaderboard"]["entry_groups"]
    for spec in plan["run_specs"]:
        groups = set(spec["run_spec"]["groups"])
        assert groups & shown, f"{spec['name']} would not be in HELM's tables"
        own = groups - {name for names in added.values() for name in names}
        assert not own & shown, "the schema knows HELM's own group by now; drop the mapping"
