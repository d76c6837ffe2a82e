"""A hub that cannot be reached, or refuses: one line that names the variable, and the right exit code."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from helm_repro.inside.failures import classify_event
from tests.conftest import ROOT
from tests.support.openai_server import OpenAIServer

pytestmark = pytest.mark.helm
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def gated() -> Iterator[str]:
    """A hub that answers as Hugging Face's does without a token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("X-Error-Message", "Access to model org/name is restricted")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def assert_one_line(done, code: int, start: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"helm-repro: error {start}")


def test_a_hub_that_is_not_there(helm_entrypoint) -> None:
    done = helm_entrypoint("run", MODELS_TO_RUN="huggingface/org/name", HF_ENDPOINT=NOBODY)
    assert_one_line(done, 6, "MODELS_TO_RUN=huggingface/org/name: cannot be had from the hub; check the name")
    done = helm_entrypoint("run", MODELS_TO_RUN="huggingface/org/name", OFFLINE="1")
    assert_one_line(done, 6, "MODELS_TO_RUN=huggingface/org/name: is not in the cache, and OFFLINE=1; run `warm`")


def test_a_hub_that_refuses(helm_entrypoint, gated: str) -> None:
    done = helm_entrypoint("run", MODELS_TO_RUN="huggingface/org/name", HF_ENDPOINT=gated)
    assert_one_line(done, 4, "MODELS_TO_RUN=huggingface/org/name: the hub refuses it; check the name, accept its terms")


def test_a_tokenizer_of_a_hub_that_is_not_there(helm_entrypoint) -> None:
    with OpenAIServer() as server:
        variables = {"MODELS_TO_RUN": "my-org/my-model", "MODEL_BASE_URL": server.base_url}
        done = helm_entrypoint("run", MODEL_TOKENIZER="org/name", HF_ENDPOINT=NOBODY, **variables)
    assert_one_line(done, 6, "MODEL_TOKENIZER=org/name: cannot be had from the hub; check the name")


def test_a_model_that_helm_would_look_up_there(helm_entrypoint) -> None:
    name = "huggingface-inference-providers/org/name"
    done = helm_entrypoint("plan", MODELS_TO_RUN=name, HF_ENDPOINT=NOBODY)
    assert_one_line(done, 6, f"MODELS_TO_RUN={name}: HELM cannot look it up: OSError: We couldn't connect to")


@pytest.fixture
def described(helm_python: Path, gated: str, tmp_path: Path) -> dict[str, Any]:
    """What a worker says of a gated tokenizer, a gated data set and a long prompt."""
    script = Path(__file__).with_name("describe_errors.py")
    variables = {"HF_ENDPOINT": gated, "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [str(helm_python), str(script)], env={**os.environ, **variables}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_what_a_worker_says_of_errors(described: dict[str, Any]) -> None:
    """HELM looks for local files first; that they are not there is not why a gated tokenizer is missing."""
    causes = {
        "tokenizer": "GatedRepoError: 401 Client Error",
        "dataset": "DatasetNotFoundError: Dataset 'org/name' is a",
    }
    for name, cause in causes.items():
        assert described[name]["cause"].startswith(cause), name
        assert classify_event(described[name]).name == "gated data", name
    assert "trying to access a gated repo" in described["tokenizer"]["error"]

    of_prompt = described["long_prompt"]
    assert "word" not in of_prompt["error"] + of_prompt["cause"]
    assert of_prompt["traceback"].startswith("Traceback (most recent call last)")
    assert "planted" not in json.dumps(of_prompt), "redacted after it was cut"
