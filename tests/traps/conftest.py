"""Boards, environments and HELM itself for the tests of each leaderboard's traps.

HELM constructs most run specs without the packages that a run needs, so by default the
boards are planned in the smallest environment of their HELM version. With
HELM_REPRO_TEST_ALL_ENVIRONMENTS=1 each board is planned in its own.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helm_repro.catalogue import Catalogue, render
from helm_repro.engines.local import LocalEngine, environment_python
from tests.conftest import ROOT, clean_environment

ALL_ENVIRONMENTS = os.environ.get("HELM_REPRO_TEST_ALL_ENVIRONMENTS") == "1"
SMALLEST = {"0.5.16": "helm-0.5.16", "0.5.15": "helm-0.5.15"}
# Constructing their run specs imports PyTorch or scikit-image (measured with HELM 0.5.16).
NEED_THEIR_OWN = {"medhelm-public", "medhelm-gated", "medhelm-private", "melt", "image2struct", "heim"}
MODEL = "openai/gpt-4o-2024-11-20"

# Where unshare is not permitted: the same for Python alone.
_NO_SOCKETS = """
import socket

def refuse(*arguments, **named):
    raise socket.gaierror(-3, "Temporary failure in name resolution")

socket.getaddrinfo = refuse
socket.socket.connect = refuse
socket.socket.connect_ex = refuse
"""


@functools.cache
def cut_off() -> tuple[str, ...]:
    """A command that runs the rest of its line without a network; empty if there is none."""
    for command in (("unshare", "--net"), ("unshare", "--map-root-user", "--net")):
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    return ()


def python_of(catalogue: Catalogue, environment: str) -> Path:
    """The interpreter of an environment, made from its lock; HELM_REPRO_TEST_PYTHON_<ENVIRONMENT> names another."""
    variable = "HELM_REPRO_TEST_PYTHON_" + re.sub(r"[^A-Z0-9]", "_", environment.upper())
    if given := os.environ.get(variable):
        return Path(given)
    board = next(b for b in catalogue.leaderboards.values() if b.environment == environment)
    if not render.lock_path(catalogue, board).is_file():
        pytest.skip(f"{environment} has no lock yet")
    if catalogue.environments[environment].torch and not ALL_ENVIRONMENTS:
        pytest.skip(f"{environment} holds PyTorch; set HELM_REPRO_TEST_ALL_ENVIRONMENTS=1")
    LocalEngine().prepare(catalogue, board)
    return environment_python(catalogue, board)


@pytest.fixture(scope="session")
def environment_of(catalogue: Catalogue) -> Callable[[str], Path]:
    """Board id -> a Python that can plan it."""

    @functools.cache
    def find(board_id: str) -> Path:
        environment = catalogue.environment_of(catalogue.leaderboards[board_id])
        own = ALL_ENVIRONMENTS or board_id in NEED_THEIR_OWN
        return python_of(catalogue, environment.id if own else SMALLEST[environment.helm_version])

    return find


@pytest.fixture(scope="session")
def boards(catalogue: Catalogue, environment_of, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Board id -> its board directory with HELM's schema, as in an image."""
    folder = tmp_path_factory.mktemp("boards")

    @functools.cache
    def make(board_id: str) -> Path:
        board = catalogue.leaderboards[board_id]
        if not render.lock_path(catalogue, board).is_file():
            # Planned in another environment; all that a lock decides here is a digest.
            smallest = SMALLEST[catalogue.environment_of(board).helm_version]
            board = board.model_copy(update={"environment": smallest})
        path = render.write_board(catalogue, board, folder / board_id)
        run_entrypoint(environment_of(board_id), path, folder, "check-board").check_returncode()
        return path

    return make


def run_entrypoint(
    python: Path, board: Path, data: Path, *words: str, network: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the entrypoint on a board, without a network unless asked for."""
    environment = clean_environment(
        **{"HELM_REPRO_BOARD": str(board), "DATA_DIR": str(data), "MODELS_TO_RUN": MODEL, **variables}
    )
    prefix = () if network else cut_off()
    if not network and not prefix:
        blocker = data / "no_sockets"
        blocker.mkdir(parents=True, exist_ok=True)
        (blocker / "sitecustomize.py").write_text(_NO_SOCKETS)
        environment["PYTHONPATH"] = str(blocker)
    return subprocess.run(
        [*prefix, str(python), str(ROOT / "entrypoint.py"), *words],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture
def run_board(environment_of, boards, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_board(board_id, *words, **variables)``; results in ``tmp_path / "data"``."""

    def run(board_id: str, *words: str, network: bool = False, **variables: str):
        python, board = environment_of(board_id), boards(board_id)
        return run_entrypoint(python, board, tmp_path / "data", *words, network=network, **variables)

    return run


@pytest.fixture
def plan_board(run_board) -> Callable[..., dict[str, Any]]:
    """``plan_board(board_id, **variables)``: what ``plan --json`` prints."""

    def plan(board_id: str, **variables: str) -> dict[str, Any]:
        done = run_board(board_id, "plan", "--json", **variables)
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(json.loads(done.stdout))

    return plan
