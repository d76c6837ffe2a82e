"""Entries for a group of models, and runs whose groups no schema has."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import yaml

from helm_repro.inside.plan.entry import Entry

pytestmark = pytest.mark.helm


def group_of(item) -> str:
    return item["reason"].rpartition("model=")[2]


def test_a_chat_model_leaves_out_classic_entries_that_were_never_meant_for_it(plan_board):
    plan = plan_board("classic-legacy")
    left_out = Counter(group_of(item) for item in plan["left_out"] if "does not belong to the group" in item["reason"])
    # Published Classic asked these entries only of models with the group's tag; HELM 0.5.12 and later ask all.
    assert left_out == {"full_functionality_text": 22, "code": 5, "biomedical": 1}
    everything = plan_board("classic-legacy", MODEL_GROUPS="all")
    assert (len(plan["run_specs"]), len(everything["run_specs"])) == (81, 108)
    kept = {spec["name"] for spec in plan["run_specs"]}
    dropped = {item["entry"] for item in plan["left_out"]}
    for spec in everything["run_specs"]:
        assert (spec["entry"] in dropped) != (spec["name"] in kept)


def test_classics_smaller_conf_has_only_groups_that_chat_models_belong_to(catalogue):
    entries = catalogue.entries(catalogue.leaderboards["classic"])
    assert {Entry(entry.description).model for entry in entries} == {"text", "text_code"}


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
