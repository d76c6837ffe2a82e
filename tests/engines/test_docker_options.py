"""What is asked of Docker, with a stand-in for it: GPUs, mounts, and what follows when it cannot or must stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError

from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.engines.docker_engine import DockerEngine
from helm_repro.engines.request import RunRequest
from helm_repro.errors import EngineError
from helm_repro.network import CERTIFICATES, PROXIES

_PROXY = "http://me:planted-password@proxy.example:3128"


class _Docker:
    """A client whose containers cannot start with a GPU, for the given reason."""

    def __init__(self, refusal: str | None, *security: str):
        self.containers = self
        self.created: list[dict[str, Any]] = []
        self.removed = 0
        self._refusal = refusal
        self._security = ["name=seccomp,profile=builtin", *security]

    def info(self) -> dict[str, Any]:
        return {"SecurityOptions": self._security}

    def create(self, **options: Any) -> _Docker:
        self.created.append(options)
        return self

    def attach(self, **_: Any) -> list[tuple[bytes, None]]:
        return [(b"done\n", None)]

    def start(self) -> None:
        if self._refusal and "device_requests" in self.created[-1]:
            raise APIError(self._refusal)

    def wait(self) -> dict[str, int]:
        return {"StatusCode": 0}

    def remove(self, force: bool) -> None:
        self.removed += 1


def _run(monkeypatch: pytest.MonkeyPatch, client: _Docker, request: RunRequest) -> bytes:
    monkeypatch.setattr(docker, "from_env", lambda: client)
    written = bytearray()
    assert DockerEngine().run(request, written.extend) == 0
    assert client.removed == len(client.created)
    return bytes(written)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def board(catalogue: Catalogue) -> Leaderboard:
    return catalogue.gpu_flavour(catalogue.leaderboards["smoke"])


def test_all_gpus_are_asked_for(monkeypatch, catalogue, board, tmp_path: Path) -> None:
    client = _Docker(None)
    _run(monkeypatch, client, RunRequest(catalogue, board, ("run",), {}, tmp_path))
    (options,) = client.created
    assert options["image"] == "helm-repro:smoke-gpu"
    (asked,) = options["device_requests"]
    assert (asked.count, asked.capabilities) == (-1, [["gpu"]])


def test_the_default_flavour_asks_for_none(monkeypatch, catalogue, tmp_path: Path) -> None:
    client = _Docker("never")
    _run(monkeypatch, client, RunRequest(catalogue, catalogue.leaderboards["smoke"], ("run",), {}, tmp_path))
    (options,) = client.created
    assert options["image"] == "helm-repro:smoke"
    assert "device_requests" not in options


@pytest.mark.parametrize(
    "refusal",
    [
        'could not select device driver "" with capabilities: [[gpu]]',
        "failed to discover GPU vendor from CDI: no known GPU vendor found",
        "nvidia-container-cli: initialization error: nvml error: driver not loaded",
    ],
)
def test_without_a_gpu_it_says_so_and_runs_on_the_cpu(monkeypatch, catalogue, board, tmp_path: Path, refusal) -> None:
    client = _Docker(refusal)
    written = _run(monkeypatch, client, RunRequest(catalogue, board, ("run",), {}, tmp_path))
    assert written == b"helm-repro: docker has no GPU to give; models in the container run on the CPU\ndone\n"
    assert len(client.created) == 2


def test_any_other_refusal_is_an_error(monkeypatch, catalogue, board, tmp_path: Path) -> None:
    client = _Docker("no such image")
    with pytest.raises(EngineError, match="no such image"):
        _run(monkeypatch, client, RunRequest(catalogue, board, ("run",), {}, tmp_path))
    assert len(client.created) == client.removed == 1


def test_the_users_copies_of_gated_data_are_mounted(monkeypatch, catalogue, tmp_path: Path) -> None:
    copy = tmp_path / "ehrshot"
    copy.mkdir()
    client = _Docker(None)
    variables = {"EHRSHOT_PATH": str(copy), "MEDALIGN_PATH": "/data/medalign"}
    _run(monkeypatch, client, RunRequest(catalogue, catalogue.leaderboards["medhelm-gated"], (), variables, tmp_path))
    (options,) = client.created
    inside = options["environment"]["EHRSHOT_PATH"]
    assert options["volumes"][str(copy)] == {"bind": inside, "mode": "ro"}
    assert options["environment"]["MEDALIGN_PATH"] == "/data/medalign"


def test_the_conf_of_an_organization_is_mounted(monkeypatch, catalogue, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    conf = tmp_path / "run_entries_medhelm_private_acme.conf"
    board = catalogue.leaderboards["medhelm-private"]

    def options_with(**variables: str) -> dict[str, Any]:
        client = _Docker(None)
        _run(monkeypatch, client, RunRequest(catalogue, board, (), variables, tmp_path / "output"))
        return client.created[0]

    assert "RUN_ENTRIES_CONF_PATH" not in options_with(ORGANIZATION="acme")["environment"], (
        "the image says it is missing"
    )
    conf.touch()
    options = options_with(ORGANIZATION="acme")
    inside = options["environment"]["RUN_ENTRIES_CONF_PATH"]
    assert options["volumes"][str(conf)] == {"bind": inside, "mode": "ro"}
    given = options_with(ORGANIZATION="acme", RUN_ENTRIES_CONF_PATH="/data/mine.conf")["environment"]
    assert given["RUN_ENTRIES_CONF_PATH"] == "/data/mine.conf"
    assert "RUN_ENTRIES_CONF_PATH" not in options_with(ORGANIZATION="stanford")["environment"]


def test_a_tokenizer_is_mounted_only_if_it_is_a_folder(monkeypatch, catalogue, tmp_path: Path) -> None:
    folder = tmp_path / "my-org" / "tokenizer"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    client = _Docker(None)
    for value in (str(folder), "my-org/tokenizer", "/data/tokenizer"):
        variables = {"MODEL_TOKENIZER": value}
        _run(monkeypatch, client, RunRequest(catalogue, catalogue.leaderboards["smoke"], (), variables, tmp_path))
    mounted, named, inside = client.created
    place = mounted["environment"]["MODEL_TOKENIZER"]
    assert mounted["volumes"][str(folder)] == {"bind": place, "mode": "ro"}
    assert place != str(folder)
    assert named["environment"]["MODEL_TOKENIZER"] == "my-org/tokenizer"
    assert inside["environment"]["MODEL_TOKENIZER"] == "/data/tokenizer"
    assert len(named["volumes"]) == len(inside["volumes"]) == 1


def test_a_container_reaches_the_network_as_this_machine_does(monkeypatch, catalogue, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    for name, value in (("HTTPS_PROXY", _PROXY), ("no_proxy", "corp.example"), ("SSL_CERT_FILE", "ca.pem")):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    client = _Docker(None)
    for variables in ({}, {"https_proxy": "http://mine", "NO_PROXY": "", "CURL_CA_BUNDLE": "/data/mine.pem"}):
        request = RunRequest(catalogue, catalogue.leaderboards["smoke"], ("run",), variables, tmp_path / "output")
        _run(monkeypatch, client, request)
    inherited, given = (options["environment"] for options in client.created)
    assert inherited["HTTPS_PROXY"] == _PROXY
    # A model server on this machine is behind no proxy.
    assert inherited["no_proxy"] == inherited["NO_PROXY"] == "corp.example,host.docker.internal"
    (inside,) = {inherited[name] for name in CERTIFICATES}
    assert client.created[0]["volumes"][str(tmp_path / "ca.pem")] == {"bind": inside, "mode": "ro"}
    assert (given["https_proxy"], given["NO_PROXY"]) == ("http://mine", "")
    assert not {"HTTPS_PROXY", "no_proxy"} & given.keys()
    assert {given[name] for name in CERTIFICATES} == {"/data/mine.pem"}
    assert len(client.created[1]["volumes"]) == 1


def test_root_of_a_rootless_engine_is_the_calling_user(monkeypatch, catalogue, tmp_path: Path) -> None:
    users = []
    for security in ((), ("name=rootless",)):
        client = _Docker(None, *security)
        _run(monkeypatch, client, RunRequest(catalogue, catalogue.leaderboards["smoke"], ("run",), {}, tmp_path))
        users.append(client.created[0]["user"])
    assert users == [f"{os.getuid()}:{os.getgid()}", "0:0"]


def test_an_engine_whose_containers_cannot_write_results_is_refused(monkeypatch, catalogue) -> None:
    monkeypatch.setattr(docker, "from_env", lambda: _Docker(None, "name=userns"))
    with pytest.raises(EngineError, match=r"^docker: with userns-remap .*use --engine local, rootless") as raised:
        DockerEngine()
    assert raised.value.exit_code == 2


def test_a_signal_before_the_container_has_started_stops_it(monkeypatch, catalogue, tmp_path: Path) -> None:
    class _Stopped(_Docker):
        started = False
        stopped = False

        def start(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            self.started = True

        def kill(self, name: str) -> None:
            if not self.started:
                raise APIError("is not running")
            assert name == "SIGTERM"

        def stop(self, timeout: int) -> None:
            self.stopped = True

    client = _Stopped(None)
    _run(monkeypatch, client, RunRequest(catalogue, catalogue.leaderboards["smoke"], ("run",), {}, tmp_path))
    assert client.stopped
