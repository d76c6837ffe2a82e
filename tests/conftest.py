"""What the tests share: the catalogue, a Python with HELM, a rendered smoke board."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue, load_catalogue
from helm_repro.catalogue.render import write_board
from helm_repro.engines.local import LocalEngine, environment_python
from helm_repro.inside.inputs.board import load_board

ROOT = Path(__file__).parents[1]
Entrypoint = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(ROOT)


@pytest.fixture(scope="session")
def helm_python(catalogue: Catalogue) -> Path:
    """A Python that has HELM, from the lock of environment helm-0.5.16."""
    given = os.environ.get("HELM_REPRO_TEST_PYTHON")
    if given:
        return Path(given)
    smoke = catalogue.leaderboards["smoke"]
    LocalEngine().prepare(catalogue, smoke)
    return environment_python(catalogue, smoke)


@pytest.fixture(scope="session")
def smoke_board(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke leaderboard's board directory; its schema is our own, so it is complete as rendered."""
    return write_board(catalogue, catalogue.leaderboards["smoke"], tmp_path_factory.mktemp("board") / "smoke")


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without any variable of ours, plus the given ones."""
    from helm_repro.inside.variables import BY_NAME

    inherited = {name: value for name, value in os.environ.items() if name not in BY_NAME}
    return {**inherited, **variables}


@pytest.fixture
def entrypoint(smoke_board: Path, tmp_path: Path) -> Entrypoint:
    """Run the entrypoint on the smoke board with this Python: enough for all that fails before HELM starts."""
    return entrypoint_with(Path(sys.executable), smoke_board, tmp_path / "data")


@pytest.fixture
def helm_entrypoint(helm_python: Path, smoke_board: Path, tmp_path: Path) -> Entrypoint:
    """Run the entrypoint on the smoke board with HELM; results in ``tmp_path / "data"``."""
    return entrypoint_with(helm_python, smoke_board, tmp_path / "data")


def entrypoint_with(python: Path, board: Path, data: Path) -> Entrypoint:
    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), str(ROOT / "entrypoint.py"), *words],
            env=entrypoint_environment(board, data, variables),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def entrypoint_environment(board: Path, data: Path, variables: Mapping[str, str]) -> dict[str, str]:
    return clean_environment(**{"HELM_REPRO_BOARD": str(board), "DATA_DIR": str(data), **variables})


@pytest.fixture(scope="session")
def board(smoke_board: Path):
    return load_board({"HELM_REPRO_BOARD": str(smoke_board)})
