"""The suite's receipt is joined from those of its shards, for all models and numbers of shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helm_repro.inside.inputs.shard import Shard
from helm_repro.inside.suite.shard_receipts import join_receipts, keep_other_models


@pytest.mark.parametrize("count", [2, 3])
def test_the_receipts_of_all_models_are_joined(tmp_path: Path, count: int) -> None:
    _write(tmp_path, Shard(0, 2), "m/a", ["a0"], time=1)
    _write(tmp_path, Shard(1, 2), "m/a", ["a1"], time=2, failed=["a1"])
    for index in range(count):
        _write(tmp_path, Shard(index, count), "m/b", [f"b{index}"], time=3)
    joined = _joined(tmp_path)
    assert joined["models"] == ["m/a", "m/b"]
    assert joined["variables"] == {"MODELS_TO_RUN": "m/a m/b", "PRIORITY": "2"}
    assert [run["name"] for run in joined["runs"]] == ["a0", "a1", *(f"b{index}" for index in range(count))]
    assert (joined["complete"], joined["planned"], joined["exit_code"]) == (count + 1, count + 2, 3)
    assert (joined["shards"], joined["written"], joined["partial"]) == (count + 2, "3", ["1 failed"])
    assert joined["credentials"] == ["KEY_OF_M_A", "KEY_OF_M_B"]


def test_a_receipt_of_other_models_is_kept_and_renewed(tmp_path: Path) -> None:
    _write(tmp_path, Shard(0, 2), "m/a", ["a0"], time=1, failed=["a0"])
    _write(tmp_path, Shard(0, 2), "m/b", ["b0"], time=2)
    _write(tmp_path, Shard(0, 2), "m/a", ["a0"], time=3)
    joined = _joined(tmp_path)
    assert {run["name"]: run["status"] for run in joined["runs"]} == {"a0": "complete", "b0": "complete"}
    assert (joined["exit_code"], joined["partial"], joined["planned"]) == (0, [], 2)
    assert len(joined["stages"]) == 1, "they are of the shard, not of its models"


def test_a_model_that_is_divided_anew_counts_once(tmp_path: Path) -> None:
    _write(tmp_path, Shard(0, 1_000), "m/a m/b", ["a0", "b0"], time=1, failed=["a0"])
    _write(tmp_path, Shard(0, 2), "m/a", ["a0"], time=2)
    joined = _joined(tmp_path)
    assert {run["name"]: run["status"] for run in joined["runs"]} == {"a0": "complete", "b0": "complete"}
    assert (joined["complete"], joined["planned"]) == (2, 2)
    _write(tmp_path, Shard(0, 3), "m/b", ["b0"], time=3)
    assert (_joined(tmp_path)["exit_code"], _joined(tmp_path)["shards"]) == (0, 2)


def test_a_newer_receipt_of_the_whole_suite_stays(tmp_path: Path) -> None:
    _write(tmp_path, Shard(0, 2), "m/a", ["a0"], time=1)
    _write(tmp_path, Shard(), "m/a", ["a0"], time=2)
    assert "shards" not in _joined(tmp_path)


def test_gaps_are_among_the_reasons(tmp_path: Path) -> None:
    _write(tmp_path, Shard(0, 2), "m/a", ["a0"], time=1)
    joined = _joined(tmp_path, ["1 of 2 planned runs are missing"])
    assert (joined["exit_code"], joined["partial"]) == (3, ["1 of 2 planned runs are missing"])


def _joined(suite: Path, gaps: list[str] | None = None) -> dict[str, Any]:
    join_receipts(suite, gaps or [])
    record: dict[str, Any] = json.loads((suite / "receipt.json").read_bytes())
    return record


def _write(suite: Path, shard: Shard, models: str, runs: list[str], time: int, failed: list[str] | None = None) -> None:
    record = {
        "written": str(time),
        "exit_code": 3 if failed else 0,
        "variables": {"MODELS_TO_RUN": models, "SHARD_INDEX": "0", "SHARD_COUNT": "2", "PRIORITY": "2"},
        "credentials": [f"KEY_OF_{model.replace('/', '_').upper()}" for model in models.split()],
        "models": models.split(),
        "own_models": {},
        "plan_sha256": "0",
        "complete": len(runs) - len(failed or []),
        "planned": len(runs),
        "partial": [f"{len(failed)} failed"] if failed else [],
        "runs": [{"name": name, "status": "failed" if name in (failed or []) else "complete"} for name in runs],
        "stages": [{"stage": "run"}],
    }
    path = suite / shard.file_name("receipt.json")
    if not shard.is_whole:
        keep_other_models(path, record["models"])
    path.write_text(json.dumps(record))
