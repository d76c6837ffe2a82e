"""A data directory that cannot be written to is said in one line, with what helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from helm_repro.inside.errors import VariableError
from helm_repro.inside.inputs.board import Board
from helm_repro.inside.inputs.settings import read_settings
from helm_repro.inside.pipeline import prepare

DOCKER = '--user "$(id -u):$(id -g)"'


@pytest.mark.parametrize(("data_dir", "hinted"), [("/data", True), ("/srv/results", False)])
def test_docker_run_is_told_how_to_write(
    board: Board, monkeypatch: pytest.MonkeyPatch, data_dir: str, hinted: bool
) -> None:
    def refuse(path: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    settings = read_settings({"MODELS_TO_RUN": "simple/model1", "DATA_DIR": data_dir}, board, ["run"])
    with pytest.raises(VariableError) as raised:
        prepare(settings)
    message = str(raised.value)
    assert message.startswith(f"DATA_DIR={data_dir}: cannot be written to by uid ")
    assert (DOCKER in message) is hinted
    assert "\n" not in message


def test_what_no_user_could_write_to_is_no_matter_of_the_user(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *args: object, **kwargs: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    settings = read_settings({"MODELS_TO_RUN": "simple/model1", "DATA_DIR": "/data"}, board, ["run"])
    with pytest.raises(VariableError) as raised:
        prepare(settings)
    assert DOCKER not in str(raised.value)
