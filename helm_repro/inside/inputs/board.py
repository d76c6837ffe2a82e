"""The leaderboard that is baked into this image (or rendered for the local engine).

A board directory holds ``board.json`` (what the catalogue knows), the rendered
run entries under HELM's own file name, and the schema.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.resources
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helm_repro.inside.errors import InsideError

BOARD_VARIABLE = "HELM_REPRO_BOARD"
_BAKED = Path("/opt/helm-repro/board")


@dataclasses.dataclass(frozen=True)
class Board:
    """``leaderboard`` and ``environment`` are the catalogue's records, field names as in its YAML."""

    directory: Path
    leaderboard: Mapping[str, Any]
    environment: Mapping[str, Any]
    digests: Mapping[str, str]

    @property
    def id(self) -> str:
        return str(self.leaderboard["id"])

    @property
    def conf_path(self) -> Path:
        return self.directory / str(self.leaderboard["conf"])

    @property
    def schema_path(self) -> Path:
        return self.directory / str(self.leaderboard["schema"])


def load_board(environ: Mapping[str, str] = os.environ) -> Board:
    """Read the board directory.

    Raises:
        InsideError: there is none, or it was not written by this version.
    """
    directory = Path(environ.get(BOARD_VARIABLE) or _BAKED)
    try:
        record = json.loads((directory / "board.json").read_text(encoding="utf-8"))
        return Board(directory, record["leaderboard"], record["environment"], record["digests"])
    except (OSError, ValueError, KeyError) as error:
        raise InsideError(f"{directory}: no leaderboard is baked here ({error})") from error


def complete_board(board: Board, as_json: bool = False) -> int:
    """Put the schema beside the conf and prove both digests. Runs while an image is built.

    HELM's schemas come from the installed wheel (``helm/benchmark/static``), which is
    how a board's own layer stays free of HELM's files in this repository.

    Raises:
        InsideError: the schema is missing or differs from the catalogue's digest.
    """
    if not board.schema_path.exists():
        packaged = importlib.resources.files("helm.benchmark") / "static" / board.schema_path.name
        if not packaged.is_file():
            raise InsideError(f"{board.schema_path.name}: HELM {board.environment['helm_version']} has no such schema")
        with importlib.resources.as_file(packaged) as source:
            shutil.copyfile(source, board.schema_path)
    found = hashlib.sha256(board.schema_path.read_bytes()).hexdigest()
    expected = board.leaderboard["schema_sha256"]
    if found != expected:
        raise InsideError(f"{board.schema_path.name}: SHA-256 is {found}, the catalogue says {expected}")
    return 0
