"""The packages of the in-container half form a line: each imports only those before it, and nothing of the host's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

INSIDE = "helm_repro.inside"
FOLDER = ROOT / "helm_repro" / "inside"
# From what knows nothing of the others to what knows all: what docs/architecture.md shows.
ORDER = [
    *("exit_codes", "errors", "failures", "log", "variables"),
    *("system", "process", "deployments", "inputs", "data", "models", "plan"),
    *("suite", "parallel", "checks", "running", "pipeline", "commands"),
]
ON_THEIR_OWN = {"plugins"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == INSIDE:
            yield from (f"{INSIDE}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_every_package_has_its_place() -> None:
    there = {path.stem for path in FOLDER.iterdir() if not path.name.startswith("__")}
    assert there == {*ORDER, *ON_THEIR_OWN}


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_those_before_it(package: str) -> None:
    before = {*ORDER[: ORDER.index(package) + 1]}
    files = (FOLDER / package).glob("*.py") if (FOLDER / package).is_dir() else [FOLDER / f"{package}.py"]
    for path in files:
        ours = [name for name in imported(path) if name.partition(".")[0] == "helm_repro"]
        assert [name for name in ours if not name.startswith(f"{INSIDE}.")] == [], path
        assert {name.split(".")[2] for name in ours} <= before, path
