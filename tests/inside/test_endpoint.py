"""MODEL_BASE_URL: what is checked before HELM starts, and what HELM is told."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helm_repro.inside import pipeline
from helm_repro.inside.checks.endpoint_probe import probe
from helm_repro.inside.deployments import endpoint as endpoints
from helm_repro.inside.deployments.endpoint import read_endpoint
from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.inputs.credentials import read_credentials
from helm_repro.inside.inputs.settings import read_settings
from tests.support.openai_server import Failures, OpenAIServer

NAME = "my-org/my-model"
KEY = "planted-secret-key"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(models=[NAME, "other"]) as running:
        yield running


def endpoint_at(base_url: str, **variables: str) -> endpoints.Endpoint:
    made = read_endpoint({"MODEL_BASE_URL": base_url, **variables}.get, [NAME])
    assert made is not None
    return made


def ask(server: OpenAIServer, key: str | None = None, **variables: str) -> str:
    return probe(endpoint_at(server.base_url, **variables), NAME, key, sleep=lambda seconds: None)


@contextlib.contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """A server that answers every request alike, and lists no models; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{other.server_port}/v1"
        other.shutdown()


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("key", [None, KEY])
def test_the_probe_shows_the_answers_first_characters(server: OpenAIServer, api: str, key: str | None) -> None:
    server.api_key = key
    assert 0 < len(ask(server, key, MODEL_API=api)) <= 60
    assert sum(server.sent.values()) == 1


@pytest.mark.parametrize(("key", "state"), [(None, "is not set"), ("wrong-planted-key", "was refused")])
def test_a_missing_or_wrong_key_is_named_and_never_shown(server: OpenAIServer, key: str | None, state: str) -> None:
    server.api_key = KEY
    with pytest.raises(InsideError, match=f"MODEL_API_KEY {state}") as caught:
        ask(server, key)
    assert caught.value.exit_code == 4
    assert "planted" not in str(caught.value)


def test_an_unknown_model_is_answered_with_what_the_server_offers(server: OpenAIServer) -> None:
    with pytest.raises(InsideError) as caught:
        ask(server, MODEL_NAME_ON_SERVER="missing")
    assert str(caught.value) == (
        f"MODEL_NAME_ON_SERVER=missing: {server.base_url} has no such model; it offers my-org/my-model, other"
    )
    assert caught.value.exit_code == 5


def test_a_server_that_lists_nothing_and_answers_404_for_the_model() -> None:
    body = b'{"error": {"message": "The model `my-org/my-model` does not exist"}}'
    with answering(body, status=404) as url, pytest.raises(InsideError) as caught:
        probe(endpoint_at(url), NAME, None)
    assert str(caught.value).startswith(f"MODEL_NAME_ON_SERVER={NAME}: the server answers HTTP 404: The model")
    assert caught.value.exit_code == 5


def test_an_address_without_an_api(server: OpenAIServer) -> None:
    wrong = server.base_url.removesuffix("/v1")
    with pytest.raises(InsideError, match="most servers' addresses end with /v1") as caught:
        probe(endpoint_at(wrong), NAME, None)
    assert caught.value.exit_code == 2


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_offline_no_proxy_is_asked(server: OpenAIServer, proxied: pytest.MonkeyPatch) -> None:
    proxied.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    endpoint = endpoint_at(server.base_url)
    with pytest.raises(InsideError, match="no server answers there"):
        probe(endpoint, NAME, None)
    assert probe(endpoint, NAME, None, by_proxy=False)


def test_a_proxy_that_cannot_be_asked_is_said(server: OpenAIServer, proxied: pytest.MonkeyPatch) -> None:
    proxied.setenv("ALL_PROXY", "socks9://proxy.example:1080")
    with pytest.raises(InsideError, match="cannot be asked by the proxy of the environment") as caught:
        ask(server)
    assert caught.value.exit_code == 2


def test_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(InsideError, match=f"MODEL_BASE_URL={url}: no server answers there") as caught:
            probe(endpoint_at(url), NAME, None)
    assert caught.value.exit_code == 2


def test_a_server_that_stalls(server: OpenAIServer) -> None:
    server.failures = Failures(schedule=["stall"])
    with pytest.raises(InsideError, match="did not answer within 1 s") as caught:
        ask(server, MODEL_TIMEOUT="1")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("kind", ["429", "500", "503", "reset"])
def test_a_server_that_fails_throughout(server: OpenAIServer, kind: str) -> None:
    server.failures = Failures(fraction={kind: 1.0})
    with pytest.raises(InsideError, match="4 requests, no answer") as caught:
        ask(server)
    assert caught.value.exit_code == 5
    assert sum(server.sent.values()) == 4


def test_a_server_that_fails_at_first(server: OpenAIServer) -> None:
    server.failures = Failures(schedule=["503", "reset", "429"])
    assert ask(server)


@pytest.mark.parametrize(
    ("api", "body", "problem"),
    [
        ("chat", b"<html>welcome</html>", "does not speak OpenAI's protocol; it answered '<html>welcome</html>'"),
        ("chat", b'{"choices": []}', "does not speak OpenAI's protocol"),
        ("completions", b'{"choices": [{"text": "ok", "logprobs": null}]}', "completions lack logprobs"),
    ],
)
def test_answers_that_helm_cannot_use(api: str, body: bytes, problem: str) -> None:
    with answering(body) as url, pytest.raises(InsideError, match=problem) as caught:
        probe(endpoint_at(url, MODEL_API=api), NAME, None)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"MODEL_BASE_URL": "host:8000"}, "MODEL_BASE_URL=host:8000: must be an address"),
        ({"MODEL_BASE_URL": "http://[::1"}, "MODEL_BASE_URL=http://[::1: is not an address"),
        ({"MODEL_BASE_URL": "http://host:99999/v1"}, "MODEL_BASE_URL=http://host:99999/v1: is not an address"),
        ({"MODEL_BASE_URL": "http://me:pw@host/v1"}, "MODEL_BASE_URL=http://…: must hold no password"),
        ({"MODEL_BASE_URL": "http://host/v1?a=b"}, "MODEL_BASE_URL=http://host/v1?a=b: must end before"),
        ({"MODEL_BASE_URL": "http://host/v1/completions"}, "did you mean http://host/v1?"),
        ({"MODEL_BASE_URL": "http://host/v1", "MODEL_API": "soap"}, "MODEL_API=soap: allowed: chat, completions"),
        ({"MODEL_BASE_URL": "http://host/v1", "MODEL_TIMEOUT": "0"}, "MODEL_TIMEOUT=0"),
        ({"MODEL_BASE_URL": "http://host/v1", "MODEL_ENDPOINT_ID": "a b"}, "MODEL_ENDPOINT_ID=a b"),
        ({"MODEL_BASE_URL": "http://host/v1", "MODEL_TOKENIZER": "gpt2"}, "MODEL_TOKENIZER=gpt2"),
        (
            {"MODEL_BASE_URL": "http://host/v1", "MODEL_MAX_SEQUENCE_LENGTH": "10"},
            "MODEL_MAX_SEQUENCE_LENGTH=10: counts tokens, so MODEL_TOKENIZER must be set too",
        ),
        ({"MODEL_API_KEY": KEY}, "MODEL_API_KEY=(not shown): has no effect without MODEL_BASE_URL"),
        ({"MODEL_API": "chat"}, "MODEL_API=chat: has no effect without MODEL_BASE_URL"),
    ],
)
def test_wrong_variables(variables: dict[str, str], named: str) -> None:
    with pytest.raises(VariableError) as caught:
        read_endpoint(variables.get, [NAME])
    assert named in str(caught.value)
    assert KEY not in str(caught.value)


def test_one_name_on_the_server_cannot_stand_for_two_models() -> None:
    variables = {"MODEL_BASE_URL": "http://host/v1", "MODEL_NAME_ON_SERVER": "a"}
    with pytest.raises(VariableError, match="MODELS_TO_RUN names 2"):
        read_endpoint(variables.get, ["a/b", "c/d"])


def test_what_helm_is_told() -> None:
    model = endpoints.model(endpoint_at("http://host/v1/", MODEL_NAME_ON_SERVER="served"), NAME, "0.5.16")
    assert model.deployment["model_name"] == NAME
    assert model.deployment["name"].startswith("endpoint-")
    assert model.deployment["client_spec"] == {
        "class_name": "helm.clients.openai_client.OpenAIClient",
        "args": {"base_url": "http://host/v1", "openai_model_name": "served", "timeout": 600, "api_key": "EMPTY"},
    }
    # Needs no tokenizer, so none is invented.
    assert not {"tokenizer_name", "max_sequence_length"} & set(model.deployment)
    assert model.metadata is not None
    assert model.metadata["tags"] == [
        "TEXT_MODEL_TAG",
        "LIMITED_FUNCTIONALITY_TEXT_MODEL_TAG",
        "INSTRUCTION_FOLLOWING_MODEL_TAG",
    ]


def test_what_helm_is_told_of_a_completions_server_with_a_key() -> None:
    endpoint = endpoint_at(
        "http://host/v1",
        MODEL_API="completions",
        MODEL_API_KEY=KEY,
        MODEL_TOKENIZER="my-org/t",
        MODEL_DISPLAY_NAME="My",
    )
    model = endpoints.model(endpoint, NAME, "0.5.16")
    assert KEY not in repr((endpoint, model))
    assert endpoints.helm_keys(endpoint, [NAME], KEY) == {f"{endpoint.organization(NAME)}ApiKey": KEY}
    assert model.deployment["client_spec"]["class_name"].endswith("OpenAILegacyCompletionsClient")
    assert model.deployment["tokenizer_name"] == "huggingface/my-org/t"
    assert model.metadata is not None
    assert model.metadata["display_name"] == "My"
    assert model.metadata["tags"] == ["TEXT_MODEL_TAG", "FULL_FUNCTIONALITY_TEXT_MODEL_TAG"]


def test_an_older_helm_gets_a_tokenizer_that_never_cuts() -> None:
    model = endpoints.model(endpoint_at("http://host/v1"), NAME, "0.5.12")
    assert model.deployment["tokenizer_name"] == "simple/tokenizer1"
    assert model.deployment["max_sequence_length"] == 1_000_000_000


def test_answers_of_one_server_are_never_another_servers() -> None:
    first = endpoint_at("http://a/v1").organization(NAME)
    assert first == endpoint_at("http://a/v1/", MODEL_TIMEOUT="5").organization(NAME)
    others = [
        endpoint_at("http://b/v1"),
        endpoint_at("http://a/v1", MODEL_API="completions"),
        endpoint_at("http://a/v1", MODEL_NAME_ON_SERVER="x"),
    ]
    assert len({first, *(other.organization(NAME) for other in others)}) == 4
    moved = [endpoint_at(f"http://{host}/v1", MODEL_ENDPOINT_ID="mine").organization(NAME) for host in "ab"]
    assert moved[0] == moved[1]
    assert moved[0].startswith("endpoint-mine-")


def test_two_models_at_one_named_server_are_two_deployments() -> None:
    endpoint = endpoint_at("http://a/v1", MODEL_ENDPOINT_ID="mine")
    names = [endpoints.model(endpoint, name, "0.5.16").deployment["name"] for name in ("a/m", "b/m")]
    assert len(set(names)) == 2


@pytest.mark.parametrize("identifier", ["v1.5", "a.b.c", "a..b", "a_b-c"])
def test_helm_finds_the_key_whatever_the_servers_name(identifier: str) -> None:
    """A dot in a HOCON key is a path: HELM would find no key, and the OpenAI SDK would send OPENAI_API_KEY."""
    endpoint = endpoint_at("http://a/v1", MODEL_ENDPOINT_ID=identifier)
    (key,) = endpoints.helm_keys(endpoint, [NAME], KEY)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", key)
    dashed = endpoint_at("http://a/v1", MODEL_ENDPOINT_ID=identifier.replace(".", "-"))
    assert ("." in identifier) == (endpoint.organization(NAME) != dashed.organization(NAME))


def test_helms_process_holds_openais_key_only_under_helms_name(board, tmp_path: Path) -> None:
    """So that the OpenAI SDK cannot fall back to it, whatever else goes wrong."""
    for variables, found in (({"MODEL_BASE_URL": "http://a/v1"}, None), ({}, "planted-openai-key")):
        given = {"OPENAI_API_KEY": "planted-openai-key", "MODELS_TO_RUN": NAME, "DATA_DIR": str(tmp_path), **variables}
        settings = read_settings({**given, "STAGES": "run"}, board)
        credentials = read_credentials(given, tmp_path)
        environment = pipeline.helm_process(settings, given, credentials)._environ
        assert environment.get("OPENAI_API_KEY") == found
        assert "planted-openai-key" in environment["HELM_CREDENTIALS"]


def test_a_key_that_no_header_can_carry() -> None:
    with pytest.raises(VariableError) as caught:
        endpoints.helm_keys(endpoint_at("http://a/v1"), [NAME], "planted\nsecret")
    assert "planted" not in str(caught.value)


def test_a_tokenizer_folder(tmp_path: Path) -> None:
    model = endpoints.model(endpoint_at("http://a/v1", MODEL_TOKENIZER=str(tmp_path)), NAME, "0.5.16")
    assert model.deployment["tokenizer_name"] == f"huggingface/{tmp_path}"
