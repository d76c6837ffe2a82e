"""`grammar` names its prompts by a path in HELM's repository; HELM's wheel has them elsewhere."""

from __future__ import annotations

import json

import pytest

PATH = "src/helm/benchmark/scenarios/best_chatgpt_prompts.yaml"

pytestmark = pytest.mark.helm


@pytest.fixture
def run(helm_entrypoint, tmp_path):
    def run():
        conf = tmp_path / "one.conf"
        conf.write_text(
            f'entries: [{{description: "grammar:path={PATH},tags=,num_respondents=1,model=text", priority: 1}}]\n'
        )
        return helm_entrypoint(
            "run",
            MODELS_TO_RUN="simple/model1",
            RUN_ENTRIES_CONF_PATH=str(conf),
            MAX_EVAL_INSTANCES="2",
            CRITIQUE_TYPE="random",
        )

    return run


def test_grammar_runs_outside_a_checkout_of_helm(run, tmp_path):
    done = run()
    assert done.returncode == 0, done.stderr
    (stats,) = (tmp_path / "data" / "benchmark_output" / "runs").glob("*/grammar:*/stats.json")
    assert json.loads(stats.read_bytes())


def test_a_users_own_file_is_used(run, tmp_path):
    own = tmp_path / "data" / PATH
    own.parent.mkdir(parents=True)
    own.write_text("rules:\n- category: Root\n  expansions: [{text: mine}]\n")
    done = run()
    assert done.returncode == 0, done.stderr
    (state,) = (tmp_path / "data" / "benchmark_output" / "runs").glob("*/grammar:*/scenario_state.json")
    (request_state,) = json.loads(state.read_bytes())["request_states"]
    assert request_state["instance"]["input"]["text"] == "mine"
