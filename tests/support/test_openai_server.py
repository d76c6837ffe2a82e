"""The test server itself: protocol, counting, planned failures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.openai_server import Failures, OpenAIServer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(api_key="key", models=["model"]) as running:
        yield running


def ask(server: OpenAIServer, prompt: str = "Hello", key: str = "key", **fields: Any) -> httpx.Response:
    body = {"model": "model", "messages": [{"role": "user", "content": prompt}], **fields}
    return httpx.post(
        f"{server.base_url}/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30
    )


def test_the_same_prompt_gets_the_same_answer_and_is_counted(server: OpenAIServer) -> None:
    first, second, other = ask(server), ask(server), ask(server, "Other")
    assert first.json() == second.json()
    assert other.status_code == 200
    assert server.most_answers_for_one_request == 2
    assert len(server.answered) == 2


def test_options_are_answered_with_a_letter_of_theirs(server: OpenAIServer) -> None:
    answers = {
        ask(server, f"Question {n}\nA. yes\nB. no\nAnswer:").json()["choices"][0]["message"]["content"]
        for n in range(10)
    }
    assert answers == {"A", "B"}


def test_several_choices(server: OpenAIServer) -> None:
    assert [choice["index"] for choice in ask(server, n=3).json()["choices"]] == [0, 1, 2]


def test_refusals(server: OpenAIServer) -> None:
    assert ask(server, key="wrong").json()["error"]["code"] == "invalid_api_key"
    assert ask(server, key="wrong").status_code == 401
    assert ask(server, model="missing").status_code == 404
    assert not server.answered


def test_completions_echo_the_prompt_with_log_probabilities(server: OpenAIServer) -> None:
    body = {"model": "model", "prompt": "one two three", "max_tokens": 0, "echo": True, "logprobs": 1}
    reply = httpx.post(f"{server.base_url}/completions", json=body, headers={"Authorization": "Bearer key"})
    choice = reply.json()["choices"][0]
    assert choice["text"] == "".join(choice["logprobs"]["tokens"]) == "one two three"
    assert choice["logprobs"]["token_logprobs"][0] is None


def test_planned_failures(server: OpenAIServer) -> None:
    server.failures = Failures(first=["429", "500"])
    refused = ask(server)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert [ask(server).status_code for _ in range(2)] == [500, 200]
    server.failures = Failures(schedule=["reset"])
    with pytest.raises(httpx.RemoteProtocolError):
        ask(server)
    assert server.most_answers_for_one_request == 1


def test_a_fraction_fails_whatever_the_order() -> None:
    failures = Failures(fraction={"500": 0.25, "429": 0.25}, seed=1)
    outcomes = [failures.choose(str(key), 0) for key in range(1000)]
    assert outcomes == [failures.choose(str(key), 0) for key in range(1000)]
    assert 400 < sum(outcome is not None for outcome in outcomes) < 600


def test_many_at_once(server: OpenAIServer) -> None:
    server.latency = 0.2
    with ThreadPoolExecutor(64) as pool:
        replies = list(pool.map(lambda n: ask(server, str(n)), range(64)))
    assert all(reply.status_code == 200 for reply in replies)
    assert 1 < server.most_in_flight <= 64


def test_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.support.openai_server", "--latency", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        control = base_url.removesuffix("/v1") + "/control"
        httpx.post(control, json={"failures": {"schedule": ["503"]}})
        body = {"model": "any", "messages": [{"role": "user", "content": "Hello"}]}
        assert httpx.post(f"{base_url}/chat/completions", json=body).status_code == 503
        assert httpx.post(f"{base_url}/chat/completions", json=body).status_code == 200
        assert httpx.get(control).json()["outcomes"] == {"503": 1, "200": 1}
        process.terminate()
        assert process.wait(10) == 0
