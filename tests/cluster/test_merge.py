"""Merging refuses what was made differently and never overwrites a result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helm_repro.errors import ConfigurationError
from helm_repro.inside.suite.journal import Journal
from helm_repro.results.merge import merge
from tests.support.runs import write_run

_IDENTITY = {"leaderboard": "smoke", "helm_version": "0.5.16", "max_eval_instances": 10}


def test_parts_become_one_suite(tmp_path: Path) -> None:
    parts = [_suite(tmp_path / "a", ["x"], models=["m/a"]), _suite(tmp_path / "b", ["y"], models=["m/b"])]
    target = tmp_path / "runs/joined"
    merged = merge(parts, target)
    assert (merged.copied, merged.present, merged.missing) == (["x", "y"], [], ["z"])
    assert json.loads((target / "suite.json").read_bytes())["models"] == ["m/a", "m/b"]
    assert json.loads((target / "partial.json").read_bytes()) == {"planned": 3, "missing": ["z"]}
    again = merge([_suite(tmp_path / "c", ["y", "z"])], target)
    assert (again.copied, again.present, again.missing) == (["z"], ["y"], [])
    assert not (target / "partial.json").exists()
    assert not list(target.glob(".*"))


def test_plans_of_parts_with_journals_of_one_name_are_kept(tmp_path: Path) -> None:
    parts = []
    for model, planned, complete in (("m/a", ["x", "lost"], ["x"]), ("m/b", ["y"], ["y"])):
        parts.append(_suite(tmp_path / model, complete, models=[model]))
        (parts[-1] / "division-of-2-abc.json").unlink()
        Journal(parts[-1]).write("plan", runs=planned, models=[model], whole=True)
    target = tmp_path / "joined"
    assert merge(parts, target).missing == ["lost"]
    assert merge(parts, target).missing == ["lost"]
    assert json.loads((target / "partial.json").read_bytes()) == {"planned": 3, "missing": ["lost"]}
    assert len((target / "journal.jsonl").read_text().splitlines()) == 2


def test_parts_made_with_other_limits_are_refused(tmp_path: Path) -> None:
    parts = [_suite(tmp_path / "a", ["x"]), _suite(tmp_path / "b", ["y"], identity={"max_eval_instances": 9})]
    with pytest.raises(ConfigurationError, match=r"b: max_eval_instances is 9, but 10 in .*a"):
        merge(parts, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_another_result_of_the_same_run_is_refused(tmp_path: Path) -> None:
    parts = [_suite(tmp_path / "a", ["x"]), _suite(tmp_path / "b", ["x"], score=0)]
    with pytest.raises(ConfigurationError, match=r"b/x: differs from .*a/x: stats.json: at \[0\].sum: 1 is not 0"):
        merge(parts, tmp_path / "joined")
    target = tmp_path / "runs/joined"
    merge(parts[:1], target)
    before = (target / "x/stats.json").read_bytes()
    with pytest.raises(ConfigurationError, match="differs"):
        merge(parts[1:], target)
    assert (target / "x/stats.json").read_bytes() == before


def test_half_a_run_is_not_taken_and_gives_way(tmp_path: Path) -> None:
    half = _suite(tmp_path / "a", ["x", "y"])
    (half / "x/stats.json").write_text("[{")
    target = tmp_path / "bench/runs/joined"
    assert merge([half], target).missing == ["x", "z"]
    (target / "x").mkdir()
    (target / "x/stats.json").write_text("[{")
    assert merge([_suite(tmp_path / "b", ["x"])], target).missing == ["z"]
    (aside,) = (tmp_path / "bench/incomplete/joined").iterdir()
    assert (aside / "stats.json").read_text() == "[{"


def test_a_folder_without_a_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"not a suite that can be merged"):
        merge([tmp_path], tmp_path / "joined")


def _suite(
    path: Path, runs: list[str], models: list[str] | None = None, identity: dict[str, Any] | None = None, score: int = 1
) -> Path:
    path.mkdir(parents=True)
    record = {"schema_version": 1, "identity": {**_IDENTITY, **(identity or {})}, "models": models or [], "forced": []}
    (path / "suite.json").write_text(json.dumps(record))
    (path / "division-of-2-abc.json").write_text(json.dumps({"shards": 2, "runs": {"x": 0, "y": 1, "z": 1}}))
    for name in runs:
        write_run(path / name, score)
    return path
