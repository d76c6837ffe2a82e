"""The comparison sees every difference but those of timing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.same_results import assert_same_results, differences

_STAT = {"name": {"name": "exact_match", "split": "test"}, "count": 1, "sum": 1}


def _write(suite: Path, **changes: Any) -> Path:
    run = suite / "a:model=b"
    run.mkdir(parents=True)
    result = {"completions": [{"text": "A"}], "cached": False, "request_time": 1.0, "request_datetime": 5}
    content = {
        "run_spec": {"name": "a:model=b"},
        "scenario": {"name": "a"},
        "scenario_state": {"request_states": [{"id": 1, "result": result}, {"id": 2, "result": result}]},
        "stats": [_STAT, {"name": {"name": "inference_runtime"}, "sum": 2.0}],
        "per_instance_stats": [{"instance_id": "id1", "stats": [_STAT, {"name": {"name": "batch_size"}, "sum": 1}]}],
        **changes,
    }
    for name, value in content.items():
        (run / f"{name}.json").write_text(json.dumps(value))
    return suite


def test_timing_and_order_do_not_matter(tmp_path: Path) -> None:
    later = {"completions": [{"text": "A"}], "cached": True, "request_time": 9.0, "request_datetime": 7}
    assert_same_results(
        _write(tmp_path / "a"),
        _write(
            tmp_path / "b",
            scenario_state={"request_states": [{"id": 2, "result": later}, {"id": 1, "result": later}]},
            stats=[{"name": {"name": "inference_runtime"}, "sum": 3.0}, _STAT],
        ),
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"stats": [{**_STAT, "sum": 0}]}, "a:model=b/stats.json: at [0].sum: 1 is not 0"),
        ({"stats": []}, "a:model=b/stats.json: at [0]: "),
        ({"run_spec": {"name": "other"}}, "a:model=b/run_spec.json: at .name"),
        ({"scenario_state": {"request_states": []}}, "a:model=b/scenario_state.json: at .request_states[0]"),
        ({"per_instance_stats": [{"instance_id": "id2", "stats": [_STAT]}]}, "a:model=b/per_instance_stats.json: "),
    ],
)
def test_anything_else_is_a_difference(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    (found,) = differences(_write(tmp_path / "a"), _write(tmp_path / "b", **changes))
    assert found.startswith(line)


def test_runs_of_one_suite_alone_are_named(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert differences(_write(tmp_path / "a"), tmp_path / "b") == [f"a:model=b: only in {tmp_path / 'a'}"]
    assert differences(tmp_path / "b", tmp_path / "a") == [f"{tmp_path / 'b'}: has no run"]
