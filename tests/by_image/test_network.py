"""A container behind a firewall: all that leaves it passes a proxy with a password, which reads along."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.engines.docker_engine import DockerEngine
from helm_repro.engines.paths import in_container
from helm_repro.engines.request import RunRequest
from helm_repro.network import CERTIFICATES, PROXIES
from tests.by_image.conftest import Containers
from tests.support.openai_server import OpenAIServer

pytestmark = pytest.mark.docker

# Nobody but the proxy knows it.
HOST = "model.corp.example"
PASSWORD = "planted-password"


class _Proxy:
    """Answers CONNECT, decrypts with a certificate of its own and passes everything on to one server."""

    def __init__(self, folder: Path, target: tuple[str, int]):
        self.ca = folder / "ca.pem"
        self.connected: list[str] = []
        self._target = target
        key = folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-keyout", str(key), "-out", str(self.ca), "-subj", "/CN=corp", "-addext", f"subjectAltName=DNS:{HOST}"],
            check=True, capture_output=True,
        )  # fmt: skip
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.ca, key)

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        with socket.create_server(("0.0.0.0", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield f"http://me:{PASSWORD}@host.docker.internal:{listener.getsockname()[1]}"

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                threading.Thread(target=self._serve, args=(listener.accept()[0],), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            allowed = base64.b64encode(f"me:{PASSWORD}".encode()) in head
            self.connected.append(head.split()[1].decode() if allowed else "refused")
            if not allowed:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with (
                self._tls.wrap_socket(client, server_side=True) as inside,
                socket.create_connection(self._target) as outside,
            ):
                threading.Thread(target=_copy, args=(outside, inside), daemon=True).start()
                _copy(inside, outside)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_a_model_beyond_the_proxy_is_asked(
    smoke_image: str, catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*PROXIES, *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
    variables = {
        "MODELS_TO_RUN": "my-org/my-model",
        "MODEL_BASE_URL": f"https://{HOST}/v1",
        "MAX_EVAL_INSTANCES": "1",
        "RUN_ENTRIES_CONF_PATH": str(tmp_path / "one.conf"),
    }
    (tmp_path / "one.conf").write_text('entries: [{description: "simple_mcqa:model=text", priority: 1}]\n')
    request = RunRequest(catalogue, catalogue.leaderboards["smoke"], ("run",), variables, tmp_path / "output")
    with OpenAIServer() as server:
        host, _, port = server.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
        proxy = _Proxy(tmp_path, (host, int(port)))
        with proxy.listening() as address:
            monkeypatch.setenv("HTTPS_PROXY", address)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(proxy.ca))
            output = bytearray()
            code = DockerEngine().run(request, output.extend)
        answered = sum(server.answered.values())
    assert code == 0, output.decode()
    # The probe and the run's one prompt, through different clients.
    assert answered == 2
    assert f"{HOST}:443" in proxy.connected
    assert "refused" not in proxy.connected
    written = [path.read_bytes() for path in request.output.rglob("*") if path.is_file()]
    assert written
    assert not any(PASSWORD.encode() in text for text in (output, *written))


def test_a_model_in_the_cache_of_hugging_face_is_whole(
    smoke_image: str, containers: Containers, tmp_path: Path
) -> None:
    model = tmp_path / "models--org--name"
    (model / "blobs").mkdir(parents=True)
    (model / "blobs/1f2e").write_text("the config")
    snapshot = model / "snapshots/0123abcd"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to("../../blobs/1f2e")
    variables, binds = in_container({"LOCAL_MODEL_PATH": str(snapshot)}, (), tmp_path / "output")
    code, output = containers.finish(
        smoke_image,
        *("-c", 'cat "$LOCAL_MODEL_PATH/config.json"'),
        entrypoint="/bin/sh",
        environment=variables,
        user=f"{os.getuid()}:{os.getgid()}",
        volumes={outside: {"bind": inside, "mode": "ro"} for outside, inside in binds.items()},
    )
    assert (code, output) == (0, "the config")
