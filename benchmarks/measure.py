"""Runs a command against a server of its own and says what it took."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

from benchmarks.workloads import WORDS, Workload
from helm_repro.inside.checks.probe import PROMPT
from helm_repro.inside.variables import BY_NAME
from tests.support.helm_config import write_model, write_tokenizer

ROOT = Path(__file__).parents[1]
MODEL = "test/model"
_LARGE_NUMBER_OF_SECONDS = 1800


@dataclasses.dataclass(frozen=True)
class Measured:
    """Seconds from start to end, of CPU (the command with its children), and to what the model is asked.

    ``first_probe`` is preflight's request, which plain HELM has not; the others are the evaluation's.
    """

    wall: float
    cpu: float
    first_probe: Optional[float]
    first_request: Optional[float]
    last_request: Optional[float]
    requests: int
    most_in_flight: int
    sent_twice: int


class Server:
    """The test server in a process of its own."""

    def __init__(self, base_url: str):
        self.base_url = base_url

    def control(self, **change: object) -> dict[str, Any]:
        request = urllib.request.Request(
            self.base_url.removesuffix("/v1") + "/control", data=json.dumps(change).encode()
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer


CACHED = "cached"
UNCACHED = "uncached"
TOKENIZERS = {
    CACHED: "a Hugging Face tokenizer, as most of HELM's models have; HELM caches its results like requests",
    UNCACHED: "HELM's simple/tokenizer1, one token per character, which HELM does not cache",
}
"""Both are measured: our cache speeds up the first kind, and there is nothing to speed up in the second."""


@contextmanager
def serving() -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.support.openai_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(process.stdout.readline().strip())
        finally:
            process.terminate()


class Place:
    """A fresh directory that is HELM's working directory and our DATA_DIR."""

    def __init__(self, path: Path, server: Server, python: Path, board: Path):
        self.path = path
        self.server = server
        self.python = python
        self.board = board
        self.conf = path / "run_entries.conf"
        self.instances = 10
        self.model = MODEL
        self.tokenizer = CACHED

    def prepare(self, workload: Workload) -> None:
        """Empty the directory and write the workload and the model into it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.conf = workload.prepare(self.path)
        self.instances = workload.instances
        if self.tokenizer == CACHED:
            tokenizer = write_tokenizer(self.path / "prod_env", WORDS)
            write_model(self.path / "prod_env", self.server.base_url, tokenizer=tokenizer)
        else:
            write_model(self.path / "prod_env", self.server.base_url)

    def helm(self, *words: str) -> Measured:
        """Run one of HELM's own commands."""
        return self._run([str(self.python.parent / words[0]), *words[1:]], {})

    def helm_run(self, threads: int, *words: str, **variables: str) -> Measured:
        """Plain helm-run for the workload."""
        command = [str(self.python.parent / "helm-run"), "--conf-paths", str(self.conf), "--suite", "suite"]
        command += ["--max-eval-instances", str(self.instances), "--num-train-trials", "1", "--priority", "2"]
        command += ["--models-to-run", self.model, "--num-threads", str(threads), *words]
        return self._run(command, variables)

    def ours(self, threads: int, *stages: str, **variables: str) -> Measured:
        """The entrypoint for the workload."""
        given = {
            "HELM_REPRO_BOARD": str(self.board),
            "DATA_DIR": str(self.path),
            "MODELS_TO_RUN": self.model,
            "RUN_ENTRIES_CONF_PATH": str(self.conf),
            "SUITE_NAME": "suite",
            "MAX_EVAL_INSTANCES": str(self.instances),
            "NUM_THREADS": str(threads),
        }
        return self._run([str(self.python), str(ROOT / "entrypoint.py"), *stages], {**given, **variables})

    def _run(self, command: Sequence[str], variables: Mapping[str, str]) -> Measured:
        inherited = {name: value for name, value in os.environ.items() if name not in BY_NAME}
        self.server.control(forget=True, probe=PROMPT)
        before = os.times()
        began = time.time()
        with (self.path / "log").open("wb") as log:
            done = subprocess.run(
                command,
                env={**inherited, **variables},
                cwd=self.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_LARGE_NUMBER_OF_SECONDS,
            )
        wall, after, seen = time.time() - began, os.times(), self.server.control()
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}; see {self.path / 'log'}")
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        asked = {
            name: None if seen[name] is None else seen[name] - began
            for name in ("first_probe", "first_request", "last_request")
        }
        return Measured(
            wall=wall,
            cpu=cpu,
            **asked,
            requests=seen["answered"],
            most_in_flight=seen["most_in_flight"],
            sent_twice=seen["answered"] - seen["unique"],
        )
