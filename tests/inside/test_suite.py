"""A run is complete only if its five files are whole and agree with each other and with the plan."""

from __future__ import annotations

import json

import pytest

from helm_repro.inside.suite.state import RUN_FILES, examine, set_aside_incomplete

NAME = "s:a=1,model=m"
ADAPTER = {"method": "generation", "max_eval_instances": 2, "num_train_trials": 1}
SPEC = {"name": NAME, "adapter_spec": ADAPTER, "groups": ["s"]}


def request_state(instance, text="yes", max_tokens=5, reason="stop", **more):
    completion = {"text": text, "tokens": [{"text": text}] if text else [], "finish_reason": {"reason": reason}}
    return {
        "instance": {"id": instance},
        "train_trial_index": 0,
        "request": {"max_tokens": max_tokens},
        "result": {"success": True, "completions": [completion]},
        **more,
    }


def write(run, **files):
    run.mkdir(parents=True, exist_ok=True)
    documents = {
        "run_spec": SPEC,
        "scenario": {"name": "s"},
        "scenario_state": {"adapter_spec": ADAPTER, "request_states": [request_state("id1"), request_state("id2")]},
        "stats": [{"name": {"name": "exact_match"}, "mean": 1.0}],
        "per_instance_stats": [{"instance_id": "id1"}, {"instance_id": "id2"}],
        **files,
    }
    for name, document in documents.items():
        (run / f"{name}.json").write_text(json.dumps(document))


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "benchmark_output" / "runs" / "s"
    write(path / NAME)
    return path


def test_five_whole_files_that_agree_are_complete(suite):
    state = examine(suite / NAME, SPEC)
    assert state.complete
    assert state.requests == 2
    assert state.anomalies == {}
    assert set_aside_incomplete(suite, [state]) == []


@pytest.mark.parametrize("name", RUN_FILES)
@pytest.mark.parametrize("seed", range(10))
def test_a_file_cut_anywhere_sets_the_run_aside_outside_the_suite(suite, name, seed):
    file = suite / NAME / name
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * seed // 10])
    state = examine(suite / NAME)
    assert name in str(state.problem)
    (moved,) = set_aside_incomplete(suite, [state])
    assert not (suite / NAME).exists()
    assert suite not in moved.parents
    assert {path.name for path in moved.iterdir()} == set(RUN_FILES)


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_missing_file_is_named(suite, name):
    (suite / NAME / name).unlink()
    assert examine(suite / NAME).problem == f"{name} is missing"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"run_spec": {**SPEC, "groups": ["t"]}}, "another groups than the plan"),
        ({"scenario_state": {"adapter_spec": {}, "request_states": []}}, "another adapter"),
        (
            {
                "scenario_state": {
                    "adapter_spec": ADAPTER,
                    "request_states": [request_state(f"id{n}") for n in range(3)],
                }
            },
            "holds 3 instances, the limit is 2",
        ),
        (
            {"scenario_state": {"adapter_spec": ADAPTER, "request_states": [{"instance": {"id": "id1"}}]}},
            "a dry run",
        ),
        (
            {
                "scenario_state": {
                    "adapter_spec": ADAPTER,
                    "request_states": [request_state("id1"), {**request_state("id1"), "train_trial_index": 1}],
                }
            },
            "holds 2 trials",
        ),
        ({"per_instance_stats": [{"instance_id": "id9"}]}, "other instances"),
        ({"stats": []}, "stats.json is empty"),
        ({"scenario_state": []}, "lack"),
    ],
)
def test_files_that_disagree_are_not_complete(suite, files, says):
    write(suite / NAME, **files)
    assert says in str(examine(suite / NAME, SPEC).problem)


def test_odd_answers_are_counted(suite):
    states = [
        request_state("id1", text=" "),
        request_state("id2", text="cut", max_tokens=500, reason="length"),
        request_state("id2", text="short on purpose", max_tokens=1, reason="length"),
        request_state("id1", annotations={"judge": {"score": None, "reasoning": "?"}}),
        request_state("id1", text="", max_tokens=0),
    ]
    write(suite / NAME, scenario_state={"adapter_spec": ADAPTER, "request_states": states})
    assert examine(suite / NAME, SPEC).anomalies == {"empty": 1, "truncated": 1, "unjudged": 1}


def test_a_run_that_has_not_begun_is_left_alone(suite):
    (suite / "empty").mkdir()
    assert set_aside_incomplete(suite, [examine(suite / "empty"), examine(suite / "absent")]) == []
    assert (suite / "empty").is_dir()
