"""A model behind MODEL_BASE_URL, from the variable to the score, against a real local server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helm_repro.results.scores import read_scores
from tests.support.helm_config import write_model
from tests.support.openai_answers import plausible_answer
from tests.support.openai_server import Failures, OpenAIServer

pytestmark = pytest.mark.helm

NAME = "my-org/my-model"
KEY = "planted-secret-key"
RUN = "simple_mcqa:model=my-org_my-model"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(models=["served-name"]) as running:
        yield running


@pytest.fixture
def variables(tmp_path: Path, server: OpenAIServer) -> dict[str, str]:
    conf = tmp_path / "one.conf"
    conf.write_text('entries: [{description: "simple_mcqa:model=text", priority: 1}]\n')
    return {
        "MODELS_TO_RUN": NAME,
        "MODEL_BASE_URL": server.base_url,
        "MODEL_NAME_ON_SERVER": "served-name",
        "RUN_ENTRIES_CONF_PATH": str(conf),
        "MAX_EVAL_INSTANCES": "4",
        # Never to be sent to a server that is not OpenAI's.
        "OPENAI_API_KEY": "planted-openai-key",
    }


def request_states(data: Path, suite: str = "my-suite") -> list[dict[str, Any]]:
    state = json.loads((data / "benchmark_output/runs" / suite / RUN / "scenario_state.json").read_text())
    return list(state["request_states"])


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_an_evaluation(helm_entrypoint, server, variables, tmp_path, api, key):
    server.api_key = key or "EMPTY"
    variables |= {"MODEL_API": api, "MODEL_DISPLAY_NAME": "My Model", **({"MODEL_API_KEY": key} if key else {})}
    done = helm_entrypoint("run", "summarize", **variables)
    assert done.returncode == 0, done.stderr
    assert f"{NAME} at {server.base_url} answers " in done.stderr

    states = request_states(tmp_path / "data")
    assert len(states) == 4
    for state in states:
        answer = plausible_answer(state["request"]["prompt"], {}, 0)
        assert state["result"]["completions"][0]["text"].strip() == answer
    assert {record.path for record in server.records} == {
        "/v1/chat/completions" if api == "chat" else "/v1/completions"
    }
    # Each once, and one for the preflight.
    assert sum(server.answered.values()) == 5
    assert server.most_answers_for_one_request == 1

    (score,) = read_scores(tmp_path / "data/benchmark_output/runs/my-suite")
    tested = [state for state in states if state["instance"]["split"] == "test"]
    assert score.value == pytest.approx(sum(map(_is_right, tested)) / len(tested), abs=1e-3)
    tables = (tmp_path / "data/benchmark_output/runs/my-suite/groups").rglob("*.json")
    assert any("My Model" in path.read_text() for path in tables)
    _assert_nowhere(tmp_path / "data", done.stdout + done.stderr, [KEY, "planted-openai-key"])


@pytest.mark.parametrize("key", [None, KEY])
def test_openais_key_never_reaches_the_users_server(helm_entrypoint, server, variables, key):
    variables |= {"MODEL_ENDPOINT_ID": "v1.5", **({"MODEL_API_KEY": key} if key else {})}
    done = helm_entrypoint("run", **variables)
    assert done.returncode == 0, done.stderr
    assert sum(server.answered.values()) == 5
    assert server.authorizations == {f"Bearer {key or 'EMPTY'}"}


def test_a_missing_key_ends_before_anything_is_run(helm_entrypoint, server, variables, tmp_path):
    server.api_key = KEY
    done = helm_entrypoint("run", **variables)
    assert done.returncode == 4, done.stderr
    assert "MODEL_API_KEY is not set" in done.stderr.splitlines()[-1]
    done = helm_entrypoint("run", MODEL_API_KEY="planted-wrong-key", **variables)
    assert done.returncode == 4, done.stderr
    assert "MODEL_API_KEY was refused" in done.stderr.splitlines()[-1]
    assert not server.answered
    assert not (tmp_path / "data/benchmark_output/runs/my-suite" / RUN).exists()
    _assert_nowhere(tmp_path / "data", done.stdout + done.stderr, ["planted-wrong-key", "planted-openai-key"])


@pytest.mark.parametrize(
    ("change", "code", "problem"),
    [
        ({"MODEL_NAME_ON_SERVER": "missing"}, 5, "MODEL_NAME_ON_SERVER=missing"),
        ({"MODEL_TIMEOUT": "1"}, 5, "did not answer within 1 s (MODEL_TIMEOUT)"),
    ],
)
def test_a_server_that_cannot_answer_ends_with_one_clear_line(
    helm_entrypoint, server, variables, change, code, problem
):
    if "MODEL_TIMEOUT" in change:
        server.failures = Failures(fraction={"stall": 1.0})
    done = helm_entrypoint("run", **{**variables, **change})
    assert done.returncode == code, done.stderr
    assert problem in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("helm-repro: error ")


def test_answers_of_one_server_are_not_taken_for_anothers(helm_entrypoint, server, variables, tmp_path):
    """Plain HELM caches by the model's name alone, so a second server's answers would be the first one's."""
    assert helm_entrypoint("run", **variables).returncode == 0
    first = [state["result"]["completions"][0]["text"] for state in request_states(tmp_path / "data")]
    with OpenAIServer(models=["served-name"], answer=lambda prompt, body, index: "different") as second:
        variables["MODEL_BASE_URL"] = second.base_url
        done = helm_entrypoint("run", **variables)
        assert done.returncode == 2
        assert f"MODEL_BASE_URL={second.base_url}: suite my-suite already holds runs of {NAME}" in done.stderr
        done = helm_entrypoint("run", **variables, SUITE_NAME="second")
        assert done.returncode == 0, done.stderr
        texts = {state["result"]["completions"][0]["text"] for state in request_states(tmp_path / "data", "second")}
    assert texts == {"different"} != set(first)


def test_a_server_that_moved_keeps_its_suite_and_its_cache(helm_entrypoint, server, variables, tmp_path):
    variables["MODEL_ENDPOINT_ID"] = "mine"
    assert helm_entrypoint("run", **variables).returncode == 0
    with OpenAIServer(models=["served-name"]) as second:
        variables["MODEL_BASE_URL"] = second.base_url
        done = helm_entrypoint("run", **variables, SUITE_NAME="second")
        assert done.returncode == 0, done.stderr
        assert sum(second.answered.values()) == 1  # the preflight's


def test_the_users_own_registration_wins(helm_entrypoint, server, variables, tmp_path):
    prod_env = tmp_path / "data/prod_env"
    prod_env.mkdir(parents=True)
    text = json.dumps(
        {
            "model_deployments": [
                {
                    "name": "mine/deployment",
                    "model_name": NAME,
                    "client_spec": {
                        "class_name": "helm.clients.openai_client.OpenAIClient",
                        "args": {"base_url": server.base_url, "openai_model_name": "served-name", "api_key": "x"},
                    },
                }
            ]
        }
    )
    (prod_env / "model_deployments.yaml").write_text(text)
    done = helm_entrypoint("run", **{**variables, "MODEL_BASE_URL": "http://127.0.0.1:9/v1"})
    assert done.returncode == 0, done.stderr
    assert "reached as prod_env/model_deployments.yaml says (mine/deployment)" in done.stderr
    assert (prod_env / "model_deployments.yaml").read_text() == text
    (prod_env / "model_deployments.yaml").write_text(text.replace("model_name", "model_nam"))
    done = helm_entrypoint("run", **variables)
    assert done.returncode == 2
    assert "entry 1 (mine/deployment): model_nam: unknown field, did you mean model_name?" in done.stderr


def test_a_plan_starts_no_suite(helm_entrypoint, variables):
    """Whoever plans a model of HELM's at a server of their own may still run it where HELM asks it."""
    variables |= {"MODELS_TO_RUN": "simple/model1"}
    planned = helm_entrypoint("plan", **variables)
    assert planned.returncode == 0, planned.stderr
    for name in ("MODEL_BASE_URL", "MODEL_NAME_ON_SERVER"):
        del variables[name]
    done = helm_entrypoint("run", **variables)
    assert done.returncode == 0, done.stderr


def test_keys_in_a_file_that_comes_after_the_first_start_count(helm_entrypoint, server, variables, tmp_path):
    """MODEL_API_KEY or any other key in a variable is why HELM itself does not look into that file."""
    server.models = [*server.models, "other"]
    assert helm_entrypoint("run", **variables).returncode == 0
    server.api_key = KEY
    prod_env = tmp_path / "data/prod_env"
    write_model(prod_env, server.base_url, name="local/other", api_key=None)
    (prod_env / "credentials.conf").write_text(f"localApiKey: {KEY}\n")
    for name in ("MODEL_BASE_URL", "MODEL_NAME_ON_SERVER"):
        del variables[name]
    for command in ("preflight", "run"):
        done = helm_entrypoint(command, **{**variables, "MODELS_TO_RUN": "local/other"})
        assert done.returncode == 0, done.stderr


def _is_right(state: dict[str, Any]) -> bool:
    """Whether the answer is the letter of a correct reference, as exact match scores it."""
    answer = state["output_mapping"].get(state["result"]["completions"][0]["text"].strip())
    return any(answer == r["output"]["text"] and "correct" in r["tags"] for r in state["instance"]["references"])


def _assert_nowhere(data: Path, output: str, secrets: list[str]) -> None:
    for secret in secrets:
        assert secret not in output
        for path in data.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_whose_answers_are_used_again(helm_entrypoint, server, variables, tmp_path):
    variables |= {"PREFLIGHT": "off"}

    def asked(suite: str, cache: str, **shard: str) -> int:
        before = sum(server.answered.values())
        done = helm_entrypoint("run", **variables, **shard, SUITE_NAME=suite, REQUEST_CACHE=cache)
        assert done.returncode == 0, done.stderr
        return sum(server.answered.values()) - before

    assert asked("one", "shared") == 4
    assert asked("two", "shared") == 0
    # A suite that is to show whether the model has changed asks it anew, but never twice itself.
    assert asked("three", "suite") == 4
    shutil.rmtree(tmp_path / "data/benchmark_output/runs/three" / RUN)
    assert asked("three", "suite") == 0
    assert asked("four", "shared") == 0
    # The run is the first shard's.
    assert asked("five", "shard", SHARD_INDEX="0", SHARD_COUNT="2") == 4
    cache = tmp_path / "data/prod_env/cache"
    assert {str(path.parent.relative_to(cache)) for path in cache.rglob("endpoint-*.sqlite")} == {
        ".",
        "suites/three",
        "suites/five/shard-0-of-2",
    }
    assert len({json.dumps(request_states(tmp_path / "data", suite)[0]["result"]["completions"]) for suite in
                ("one", "two", "three", "four", "five")}) == 1  # fmt: skip


def test_a_request_cache_that_there_is_not(helm_entrypoint, variables):
    done = helm_entrypoint("run", **variables, REQUEST_CACHE="none")
    assert done.returncode == 2
    assert "error REQUEST_CACHE=none: allowed: shared, suite, shard" in done.stderr
