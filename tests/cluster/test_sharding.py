"""The division of a plan: every run once, balanced, whatever the order; and what is missing of it."""

from __future__ import annotations

import errno
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helm_repro.inside.suite.sharding import Division, divide, part_of, weight
from helm_repro.inside.system import files
from tests.cluster.plans import make_plan, run_spec


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=80), st.integers(1, 12), st.randoms())
def test_every_run_has_one_shard_and_the_longest_is_near_the_best(
    sizes: list[int], count: int, chance: random.Random
) -> None:
    plan = make_plan({f"run{index}": size for index, size in enumerate(sizes)})
    division = divide(plan, count)
    assert division.keys() == {f"run{index}" for index in range(len(sizes))}
    loads = [
        sum(sizes[int(n.removeprefix("run"))] for n, i in division.items() if i == shard) for shard in range(count)
    ]
    assert max(loads) <= sum(sizes) / count + max(sizes)
    assert max(loads) - min(loads) <= max(sizes)
    chance.shuffle(plan["entries"])
    chance.shuffle(plan["run_specs"])
    assert divide(plan, count) == division


def test_entries_that_share_a_run_stay_together() -> None:
    plan = make_plan({"a": 5, "b": 5, "c": 5, "d": 5})
    plan["entries"][3]["shared"] = ["a"]
    division = divide(plan, 4)
    assert division["a"] == division["d"]


def test_weights_come_from_instances_trials_and_outputs() -> None:
    assert weight({"adapter_spec": {"max_eval_instances": 10, "num_train_trials": 3, "num_outputs": 2}}) == 60
    assert weight({"adapter_spec": {"max_eval_instances": 10, "num_outputs": 0}}) == 10
    assert weight({"adapter_spec": {}}) == 1000


def test_shards_on_a_shared_volume_follow_the_first_one(shard_settings, tmp_path: Path) -> None:
    whole = make_plan(dict.fromkeys("abcdefgh", 10))
    # Shard 1 could not construct the entry of run a just now: its own division would be another one.
    lacking = make_plan(dict.fromkeys("bcdefgh", 10))
    lacking["failed"] = [{"entry": "a", "reason": "connection refused"}]
    parts = [_part(shard_settings(index, 3), lacking if index == 1 else whole) for index in (0, 1, 2)]
    run = [set(wanted) for _, wanted in parts]
    assert run[0] | run[1] | run[2] >= set("bcdefgh")
    assert not run[0] & run[1]
    assert not run[0] & run[2]
    assert not run[1] & run[2]
    owner = json.loads(next(shard_settings(0, 3).suite_path.glob("division-*.json")).read_bytes())["runs"]["a"]
    lost = [plan["failed"] for plan, _ in parts]
    assert lost[1] == ([{"entry": "a", "reason": parts[1][0]["failed"][0]["reason"]}] if owner == 1 else [])
    assert ("a" in run[owner]) == (owner != 1)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_shards_agree_where_files_cannot_be_linked(shard_settings, monkeypatch, code: int) -> None:
    _no_links(monkeypatch, code)
    settings = [shard_settings(index, 4) for index in range(4)]
    # Each has a plan of its own, so that only one that all follow gives parts without overlap.
    plans = [make_plan({name: (ord(name) * 7 + index * 5) % 11 + 1 for name in "abcdefgh"}) for index in range(4)]
    with ThreadPoolExecutor(4) as threads:
        parts = list(threads.map(_part, settings, plans))
    assert sorted(name for _, wanted in parts for name in wanted) == list("abcdefgh")


def test_a_claim_whose_owner_died_is_not_waited_for_for_ever(shard_settings, monkeypatch) -> None:
    _part(shard_settings(0, 2), make_plan({"a": 1}))
    (division_path,) = shard_settings(0, 2).suite_path.glob("division-*.json")
    division_path.unlink()
    _no_links(monkeypatch, errno.EPERM)
    monkeypatch.setattr(files, "CLAIM_SECONDS", 0)
    division_path.with_name(f".{division_path.name}.claim-0").touch()
    _part(shard_settings(1, 2), make_plan({"a": 1}))
    assert json.loads(division_path.read_bytes())["runs"] == {"a": 0}


def _no_links(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def link(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)


def test_another_request_has_another_division(shard_settings) -> None:
    _part(shard_settings(0, 2), make_plan({"a": 1}))
    _part(shard_settings(0, 2, MAX_EVAL_INSTANCES="7"), make_plan({"a": 1}))
    assert len(list(shard_settings(0, 2).suite_path.glob("division-*.json"))) == 2
    assert not list(shard_settings(0, 2).suite_path.glob(".*"))


def test_gaps_are_reported_by_shard_0_alone(shard_settings) -> None:
    plan = make_plan({"a": 1, "b": 1})
    plan["failed"], plan["left_out"] = [{"entry": "x", "reason": "y"}], [{"entry": "z", "reason": "y"}]
    plan["run_specs"].append({"name": "gone", "entry": "gone", "run_spec": run_spec("gone", 1), "unavailable": "gone"})
    first, second = (_part(shard_settings(index, 2), plan)[0] for index in (0, 1))
    assert (len(first["failed"]), len(first["left_out"]), len(first["run_specs"])) == (1, 1, 2)
    assert (len(second["failed"]), len(second["left_out"]), len(second["run_specs"])) == (0, 0, 1)


def test_a_division_into_another_number_of_shards_still_finds_every_run() -> None:
    found = Division({"a": {4: 3}}, [])
    assert found.shard_of("a", 4) == 3
    assert 0 <= found.shard_of("a", 2) < 2


@pytest.fixture
def shard_settings(board, tmp_path: Path):
    from helm_repro.inside.inputs.settings import read_settings

    def settings(index: int, count: int, **variables: str) -> Any:
        shard = {"SHARD_INDEX": str(index), "SHARD_COUNT": str(count), "MODELS_TO_RUN": "a/b"}
        made = read_settings({"DATA_DIR": str(tmp_path), **shard, **variables}, board)
        made.suite_path.mkdir(parents=True, exist_ok=True)
        return made

    return settings


def _part(settings: Any, plan: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    wanted = {spec["name"]: spec["run_spec"] for spec in plan["run_specs"] if spec["unavailable"] is None}
    return part_of(settings, plan, wanted)
