"""A container is healthy once its page answers; without a server stage, as long as it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helm_repro.inside.commands.health import is_healthy
from helm_repro.inside.inputs.settings import read_settings
from tests.conftest import Entrypoint

MODEL = {"MODELS_TO_RUN": "simple/model1"}
SHARD = {**MODEL, "SHARD_INDEX": "0", "SHARD_COUNT": "2"}
Page = Callable[[], int]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """Start a server that has HELM's page; gives its port."""
    (tmp_path / "config.js").write_text("window.SUITE = 'my-suite'")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)

        def start() -> int:
            thread.start()
            return server.server_port

        yield start
        if thread.is_alive():
            server.shutdown()


@pytest.fixture
def healthy(board, tmp_path: Path) -> Callable[..., bool]:
    """Ask in a container that was started with these words and variables."""

    def ask(*words: str, port: int = 9, **variables: str) -> bool:
        arguments = ["tini", "--", "/opt/helm/bin/python", "/opt/helm-repro/entrypoint.py", *words]
        command_line = tmp_path / "cmdline"
        command_line.write_text("".join(f"{argument}\0" for argument in arguments))
        settings = read_settings({**variables, "PORT": str(port)}, board, ["server"])
        return is_healthy(settings, variables, command_line)

    return ask


@pytest.mark.parametrize(
    ("words", "variables"),
    [(["server"], {}), (["run", "server"], MODEL), ([], MODEL), ([], {"STAGES": "server"})],
)
def test_with_a_server_stage_the_page_must_answer(healthy, page: Page, words, variables) -> None:
    assert not healthy(*words, **variables)
    assert healthy(*words, port=page(), **variables)


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (["run", "summarize"], MODEL),
        (["warm"], MODEL),
        (["await-shards"], {"SHARD_COUNT": "2"}),
        (["plan", "--json"], MODEL),
        ([], {**MODEL, "STAGES": "run"}),
        ([], SHARD),
    ],
)
def test_without_a_server_stage_a_running_container_is_healthy(healthy, words, variables) -> None:
    assert healthy(*words, **variables)


def test_the_command_needs_no_model(entrypoint: Entrypoint, page: Page) -> None:
    """Here process 1 is none of ours, so STAGES decides."""
    done = entrypoint("healthcheck", PORT="9", STAGES="server")
    assert (done.returncode, done.stderr) == (1, "")
    assert entrypoint("healthcheck", PORT=str(page()), STAGES="server").returncode == 0
