"""MedHELM: confs for 13 models on a private deployment, a jury nobody else can call, data at Stanford."""

from __future__ import annotations

import pytest

from helm_repro.inside.data.own_data import data_paths
from helm_repro.inside.errors import VariableError
from helm_repro.inside.plan.entry import Entry, is_reasoning, rewrite_for_any_model

COUNTS = {"medhelm-public": 17, "medhelm-gated": 11, "medhelm-private": 26}


def entries(catalogue, board_id):
    board = catalogue.leaderboards[board_id]
    return [Entry(e.description, e.priority, e.groups) for e in catalogue.entries(board)], board.any_model.model_dump()


@pytest.mark.parametrize(("board_id", "count"), COUNTS.items())
@pytest.mark.parametrize("reasons", [False, True])
def test_any_model_gets_one_of_each_entry(catalogue, board_id, count, reasons):
    given, rule = entries(catalogue, board_id)
    derived = rewrite_for_any_model(given, rule, reasons)
    assert len(derived) == count
    assert len({entry.description for entry in derived}) == count
    assert all(entry.model is None and entry.deployment is None for entry in derived)
    assert {entry.arguments.get("num_output_tokens") for entry in derived} == {"4000" if reasons else None}


@pytest.mark.parametrize("board_id", COUNTS)
def test_the_rule_agrees_with_the_13_models(catalogue, board_id):
    given, rule = entries(catalogue, board_id)
    for entry in given:
        # Stanford's own data lists GPT-4o a second time, with room to reason.
        if entry.function.startswith("shc_") and entry.model == "openai/gpt-4o-2024-05-13":
            continue
        assert is_reasoning(entry.model, rule, None) == ("num_output_tokens" in entry.arguments), entry.description


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("openai/gpt-4o-2024-11-20", False),
        ("openai/gpt-5.1-2025-11-13", True),
        ("google/gemini-2.5-flash-thinking-disabled", False),
        ("google/gemini-2.5-pro", True),
        ("qwen/qwen3-next-80b-a3b-thinking", True),
        ("qwen/qwen3-next-80b-a3b-instruct", False),
        ("xai/grok-4-fast-non-reasoning", False),
        ("xai/grok-4-fast-reasoning", True),
        ("my-org/my-model", False),
    ],
)
def test_names_tell_which_models_reason_and_a_variable_overrules_them(catalogue, model, reasons):
    rule = catalogue.leaderboards["medhelm-public"].any_model.model_dump()
    assert is_reasoning(model, rule, None) == reasons
    assert is_reasoning(model, rule, (model,))
    assert not is_reasoning(model, rule, ())


def test_every_path_of_stanfords_has_a_variable(catalogue):
    for board_id in COUNTS:
        given, _ = entries(catalogue, board_id)
        named = {path for d in catalogue.leaderboards[board_id].gated_datasets for path in d.data_paths}
        assert {entry.arguments["data_path"] for entry in given if "data_path" in entry.arguments} == named


def test_an_own_copy_replaces_the_path_and_must_exist(catalogue, tmp_path):
    gated = catalogue.leaderboards["medhelm-gated"].model_dump(mode="json", by_alias=True)
    (tmp_path / "bhc.json").touch()
    paths = data_paths(gated, {"MIMIC_BHC_PATH": str(tmp_path / "bhc.json"), "EHRSHOT_PATH": str(tmp_path)})
    assert paths["/share/pi/nigam/data/medhelm/ehrshot/meds/"] == f"{tmp_path}/"
    theirs = Entry("mimic_bhc:model=a/b,data_path=/share/pi/nigam/data/bhc-mimiciv/mimic_iv_bhc.json")
    assert theirs.with_data_path(paths).description == f"mimic_bhc:model=a/b,data_path={tmp_path}/bhc.json"
    with pytest.raises(VariableError, match=r"MIMIC_BHC_PATH=.*does not exist; MIMIC-IV-BHC is read from there"):
        data_paths(gated, {"MIMIC_BHC_PATH": str(tmp_path / "none.json")})


@pytest.mark.helm
def test_one_of_the_13_gets_helms_own_entries(plan_board):
    plan = plan_board("medhelm-public", MODELS_TO_RUN="openai/gpt-4o-mini-2024-07-18")
    assert len(plan["run_specs"]) == 17
    deployments = {spec["run_spec"]["adapter_spec"]["model_deployment"] for spec in plan["run_specs"]}
    assert deployments == {"stanfordhealthcare/gpt-4o-mini-2024-07-18"}


@pytest.mark.helm
def test_preflight_names_every_missing_set_and_judge(run_board):
    done = run_board("medhelm-gated", "preflight")
    assert done.returncode == 4
    for variable in ("EHRSHOT_PATH", "MEDALIGN_PATH", "DISCHARGEME_PATH", "MIMIC_BHC_PATH", "N2C2_PATH"):
        assert f"{variable} is not set" in done.stderr
    for judge in ("gpt-4o-2024-05-13", "llama-3.3-70b-instruct", "claude-3-7-sonnet-20250219"):
        assert f"JUDGE_OVERRIDES=stanfordhealthcare/{judge}=<model>" in done.stderr


@pytest.mark.helm
def test_another_organizations_entries_are_planned(plan_board, tmp_path, monkeypatch):
    conf = tmp_path / "run_entries_medhelm_private_acme.conf"
    conf.write_text('entries: [{description: "medication_qa:model=text", priority: 1}]')
    # As the Docker engine names it; the tests' entrypoint has the repository for its working directory.
    plan = plan_board("medhelm-private", ORGANIZATION="acme", RUN_ENTRIES_CONF_PATH=str(conf))
    assert [spec["entry"] for spec in plan["run_specs"]] == ["medication_qa:model=text"]


@pytest.mark.helm
def test_a_jury_of_ones_own_is_named_by_the_entries(plan_board, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    # A path in an entry is one from the results folder, whatever the engine.
    (data / "jury.yaml").write_text("judges: [{name: mine, model: simple/model1, model_deployment: simple/model1}]")
    conf = tmp_path / "mine.conf"
    conf.write_text('entries: [{description: "medication_qa:jury_config_path=jury.yaml,model=text", priority: 1}]')
    (spec,) = plan_board("medhelm-public", RUN_ENTRIES_CONF_PATH=str(conf))["run_specs"]
    (annotator,) = spec["run_spec"]["annotators"]
    judge = {"model_name": "simple/model1", "model_deployment": "simple/model1"}
    assert annotator["args"]["annotator_models"] == {"mine": judge}
