"""A model in the container and a model behind a real inference server, through smoke."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helm_repro.results.scores import read_scores
from tests.conftest import entrypoint_with

pytestmark = pytest.mark.helm

CONF = 'entries: [{description: "simple_mcqa:model=text", priority: 1}]\n'


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "one.conf").write_text(CONF)
    return {"RUN_ENTRIES_CONF_PATH": str(tmp_path / "one.conf"), "MAX_EVAL_INSTANCES": "2", "NUM_THREADS": "2"}


def request_states(suite: Path, scenario: str = "") -> list[dict[str, Any]]:
    (path,) = suite.glob(f"{scenario}*/scenario_state.json")
    return list(json.loads(path.read_text())["request_states"])


def test_a_folder_is_evaluated_and_its_choices_are_recorded(
    torch_python, tiny_models, smoke_board, variables, tmp_path
):
    run = entrypoint_with(torch_python, smoke_board, tmp_path / "data")
    variables |= {"OFFLINE": "1", "MODEL_DTYPE": "float32", "MODEL_DEVICE": "cpu"}
    first = run("run", "summarize", LOCAL_MODEL_PATH=str(tiny_models["chat"]), SUITE_NAME="chat", **variables)
    assert first.returncode == 0, first.stderr
    suite = tmp_path / "data/benchmark_output/runs/chat"
    assert len(read_scores(suite)) == 1
    recorded = json.loads((suite / "receipt.json").read_text())["own_models"]["huggingface/tiny-chat"]
    assert {key: recorded[key] for key in ("dtype", "device", "chat_template")} == {
        "dtype": "float32",
        "device": "cpu",
        "chat_template": True,
    }
    # The template decides what the model reads, so answers differ and are not taken from the cache.
    second = run(
        *("run",),
        **{
            **variables,
            "LOCAL_MODEL_PATH": str(tiny_models["chat"]),
            "MODEL_CHAT_TEMPLATE": "off",
            "SUITE_NAME": "off",
        },
    )
    assert second.returncode == 0, second.stderr
    texts = [
        [
            state["result"]["completions"][0]["text"]
            for state in request_states(tmp_path / "data/benchmark_output/runs" / name)
        ]
        for name in ("chat", "off")
    ]
    assert texts[0] != texts[1]


def test_a_model_of_the_hub_is_recorded_and_a_default_that_is_given_changes_nothing(
    torch_python, tiny_models, smoke_board, variables, tmp_path
):
    commit = "c" * 40
    repository = tmp_path / "data/prod_env/cache/huggingface/hub/models--org--tiny"
    shutil.copytree(tiny_models["chat"], repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit)
    run = entrypoint_with(torch_python, smoke_board, tmp_path / "data")
    variables |= {"MODELS_TO_RUN": "huggingface/org/tiny", "OFFLINE": "1"}
    done = run("run", **variables)
    assert done.returncode == 0, done.stderr
    suite = tmp_path / "data/benchmark_output/runs/my-suite"
    recorded = json.loads((suite / "receipt.json").read_text())["own_models"]["huggingface/org/tiny"]
    expected = {"commit": commit, "dtype": "auto", "chat_template": True, "instruction_following": True}
    assert {key: recorded[key] for key in expected} == expected
    before = {path: path.stat().st_mtime_ns for path in suite.glob("*/stats.json")}
    again = run("run", **variables, MODEL_DTYPE="auto", MODEL_DEVICE="auto", MODEL_CHAT_TEMPLATE="auto")
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in suite.glob("*/stats.json")} == before != {}


def test_a_suite_goes_on_with_its_commit_after_a_push_to_the_hub(
    torch_python, tiny_models, smoke_board, variables, tmp_path
):
    old, new = "c" * 40, "d" * 40
    repository = tmp_path / "data/prod_env/cache/huggingface/hub/models--org--tiny"
    shutil.copytree(tiny_models["chat"], repository / "snapshots" / old)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(old)
    run = entrypoint_with(torch_python, smoke_board, tmp_path / "data")
    variables |= {"MODELS_TO_RUN": "huggingface/org/tiny", "OFFLINE": "1"}
    assert run("run", **variables).returncode == 0
    shutil.copytree(tiny_models["chat"], repository / "snapshots" / new)
    (repository / "snapshots" / new / "README.md").write_text("an edited card")
    (repository / "refs/main").write_text(new)

    suite = tmp_path / "data/benchmark_output/runs/my-suite"
    (spec,) = suite.glob("*/run_spec.json")
    deployment = json.loads(spec.read_bytes())["adapter_spec"]["model_deployment"]
    again = run("run", **variables)
    assert again.returncode == 0, again.stderr
    assert "all 1 runs are complete already" in again.stderr
    # Nor when it had finished nothing yet, and nobody would notice.
    shutil.rmtree(spec.parent)
    once_more = run("run", **variables)
    assert once_more.returncode == 0, once_more.stderr
    assert json.loads(spec.read_bytes())["adapter_spec"]["model_deployment"] == deployment
    recorded = json.loads((suite / "receipt.json").read_text())["own_models"]["huggingface/org/tiny"]
    assert (recorded["commit"], recorded["revision"]) == (old, None)


def test_the_default_image_says_which_one_is_needed(helm_entrypoint, helm_python, tiny_models, variables):
    if subprocess.run([str(helm_python), "-c", "import torch"], capture_output=True).returncode == 0:
        pytest.skip("this environment has PyTorch")
    done = helm_entrypoint("run", LOCAL_MODEL_PATH=str(tiny_models["base"]), **variables)
    assert done.returncode == 2, done.stderr
    assert "gpu flavour, helm-repro:<leaderboard>-gpu" in done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def transformers_server(server_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``transformers serve``, transformers' own inference server; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("serve") / "log").open("wb")
    command = [str(server_python.with_name("transformers")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "2"}
    with subprocess.Popen(
        [*command, "--device", "cpu", "--dtype", "float32"], env=environment, stdout=log, stderr=log
    ) as process:
        try:
            deadline = time.monotonic() + 240
            while not _listens(port):
                assert process.poll() is None, Path(log.name).read_text()[-2000:]
                assert time.monotonic() < deadline, Path(log.name).read_text()[-2000:]
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            log.close()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def test_a_real_inference_server(helm_entrypoint, transformers_server, tiny_models, variables, tmp_path):
    variables |= {"MODELS_TO_RUN": "my-org/tiny", "MODEL_NAME_ON_SERVER": str(tiny_models["chat"])}
    whole = {name: value for name, value in variables.items() if name != "RUN_ENTRIES_CONF_PATH"}
    done = helm_entrypoint("run", "summarize", MODEL_BASE_URL=transformers_server, **whole)
    assert done.returncode == 0, done.stderr
    suite = tmp_path / "data/benchmark_output/runs/my-suite"
    scores = read_scores(suite)
    assert len({score.run for score in scores}) == 10
    assert all(score.value is not None for score in scores)
    states = request_states(suite, "simple_mcqa")
    assert len(states) == 2
    # What HELM recorded is what the server answers to the same request.
    request = states[0]["request"]
    body = {
        "model": str(tiny_models["chat"]),
        "messages": [{"role": "user", "content": request["prompt"]}],
        "temperature": request["temperature"],
        "max_tokens": request["max_tokens"],
        "stream": False,
    }
    asked = urllib.request.Request(
        f"{transformers_server}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as reply:
        answer = json.loads(reply.read())["choices"][0]["message"]["content"]
    recorded = states[0]["result"]["completions"][0]["text"]
    assert answer.startswith(recorded.rstrip()) or recorded == answer
    # It serves completions as well, but without the log probabilities that HELM reads.
    done = helm_entrypoint(
        *("run",), MODEL_BASE_URL=transformers_server, MODEL_API="completions", **{**variables, "SUITE_NAME": "second"}
    )
    assert done.returncode == 2, done.stderr
    assert "completions lack logprobs" in done.stderr.splitlines()[-1]
