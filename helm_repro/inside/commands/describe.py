"""``describe``: what is baked into this image, and which variables it reads."""

from __future__ import annotations

import json
from typing import Any

from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.board import Board
from helm_repro.inside.variables import VARIABLES


def description(board: Board) -> dict[str, Any]:
    """Everything as one JSON-able record."""
    return {
        "leaderboard": dict(board.leaderboard),
        "environment": dict(board.environment),
        "digests": dict(board.digests),
        "variables": {
            variable.name: {
                "doc": variable.doc,
                "default": board.leaderboard[variable.board] if variable.board else variable.default,
            }
            for variable in VARIABLES
        },
        "exit_codes": {int(code): code.description for code in ExitCode},
    }


def print_description(board: Board, as_json: bool) -> int:
    """Write it to standard output."""
    print(json.dumps(description(board), indent=2) if as_json else as_text(board))
    return 0


def as_text(board: Board) -> str:
    """The same for reading."""
    record = description(board)
    facts = board.leaderboard
    lines = [
        f"{facts['id']}: {facts['title']}",
        f"  {facts['summary']}",
        f"  HELM {board.environment['helm_version']} ({board.environment['helm_commit'][:9]}), {facts['environment']}",
        f"  entries {facts['entries_sha256'][:12]}, schema {facts['schema_sha256'][:12]}",
        *(f"  caveat: {caveat['what']}: {caveat['reason']}" for caveat in facts.get("caveats", [])),
        "",
        "Variables:",
        *(
            f"  {name:24}{'' if item['default'] is None else item['default']!s:28}  {item['doc']}"
            for name, item in record["variables"].items()
        ),
        "",
        "Exit codes:",
        *(f"  {code:<4}{text}" for code, text in record["exit_codes"].items()),
    ]
    return "\n".join(lines)
