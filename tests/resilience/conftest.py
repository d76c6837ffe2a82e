"""A suite of a few short runs against a server that can be told to fail."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, entrypoint_environment
from tests.support.helm_config import write_model
from tests.support.openai_server import OpenAIServer

MODEL = "openai/test-model"
KEY = "planted-9f8e7d6c5b4a"
RUNS = 4
_CONF = """entries: [
  {description: "simple_mcqa:model=text", priority: 1}
  {description: "simple_classification:model=text", priority: 1}
  {description: "dyck_language:model=text,num_parenthesis_pairs=2", priority: 1}
  {description: "synthetic_reasoning_natural:model=text,difficulty=easy", priority: 1}
]
"""


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(api_key=KEY) as started:
        yield started


class Suite:
    """One data directory, its variables, and ways to run it."""

    def __init__(self, python: Path, board: Path, data: Path, server: OpenAIServer, conf: Path):
        self.data = data
        self.path = data / "benchmark_output" / "runs" / "my-suite"
        self._python = python
        write_model(data / "prod_env", server.base_url, MODEL, api_key=None)
        self._environment = entrypoint_environment(
            board,
            data,
            {
                "MODELS_TO_RUN": MODEL,
                "OPENAI_API_KEY": KEY,
                "RUN_ENTRIES_CONF_PATH": str(conf),
                "MAX_EVAL_INSTANCES": "12",
                "NUM_THREADS": "8",
            },
        )

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self._python), str(ROOT / "entrypoint.py"), *(words or ("run",))],
            env={**self._environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, *words: str, **variables: str) -> tuple[int, str]:
        process = self.start(*words, **variables)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output


@pytest.fixture
def make_suite(helm_python: Path, smoke_board: Path, tmp_path: Path, server: OpenAIServer) -> MakeSuite:
    return MakeSuite(helm_python, smoke_board, tmp_path, server)


class MakeSuite:
    """Suites that differ in nothing but their data directory."""

    def __init__(self, python: Path, board: Path, folder: Path, server: OpenAIServer):
        self._arguments = (python, board)
        self._folder = folder
        self._server = server

    def __call__(self, name: str, data: Path | None = None) -> Suite:
        conf = self._folder / "four.conf"
        conf.write_text(_CONF)
        return Suite(*self._arguments, data or self._folder / name, self._server, conf)


def kill_hard(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
