"""``await-shards``: ends when the shards have, and not before."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from helm_repro.inside.commands import await_shards as module
from helm_repro.inside.commands.await_shards import await_shards
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.suite.journal import Journal
from tests.cluster.test_merge import _suite

_LONG_AGO = time.time() - 10_000


def test_it_waits_until_every_shard_has_begun_and_nothing_is_missing(tmp_path: Path) -> None:
    suite = _suite(tmp_path / "suite", ["x"])
    seen = _waits(
        suite,
        lambda: _lock(suite, 0, "at work"),
        lambda: _lock(suite, 1, "at work"),
        lambda: _lock(suite, 0, ""),
        lambda: _lock(suite, 1, ""),
        lambda: [_suite_run(suite, name) for name in ("y", "z")],
    )
    assert seen == 5


def test_one_shard_is_awaited_until_its_plan_is_complete(tmp_path: Path) -> None:
    suite = _suite(tmp_path / "suite", ["x"])
    (suite / "division-of-2-abc.json").unlink()
    (suite / "suite.lock").touch()
    Journal(suite).write("plan", runs=["x", "y"], models=["a/b"], whole=True)
    assert module._waiting_for(suite, 1, time.time(), 600).startswith("1 of 2 planned runs are missing")
    _suite_run(suite, "y")
    assert module._waiting_for(suite, 1, time.time(), 600) == ""


def test_a_model_without_a_plan_is_awaited_beside_one_that_is_complete(tmp_path: Path) -> None:
    suite = _suite(tmp_path / "suite", ["x"], models=["a/old", "b/new", "c/given-up"])
    (suite / "division-of-2-abc.json").unlink()
    Journal(suite).write("plan", runs=["x"], models=["a/old"], whole=True)
    for index in (0, 1):
        _lock(suite, index, "")

    def waiting() -> str:
        return module._waiting_for(suite, 2, time.time(), 600, models=["b/new"])

    assert waiting().startswith("nothing was planned for b/new; ")
    assert "0 of" not in waiting()
    Journal(suite).write("plan", runs=["y"], models=["b/new"], whole=True)
    assert "1 of 2 planned runs are missing" in waiting()
    _suite_run(suite, "y")
    assert waiting() == "", "c/given-up is not asked for"


def test_a_suite_without_any_plan_is_awaited(tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "suite.lock").touch()
    assert module._waiting_for(suite, 1, time.time(), 600).startswith("nothing is planned; ")


def test_shards_that_died_are_not_awaited_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = _suite(tmp_path / "suite", ["x"])
    for index in (0, 1):
        _lock(suite, index, "killed at work")
    started = time.time()
    assert _waiting_after(500, suite, started, monkeypatch)
    assert _waiting_after(700, suite, started, monkeypatch) == ""
    # Old silence is no sign: a suite that is resumed lay there for long.
    assert module._waiting_for(suite, 2, started + 650, quiet_seconds=600)


def test_shards_that_never_begin_are_awaited_while_another_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = _suite(tmp_path / "suite", ["x"])
    _lock(suite, 0, "at work")
    started = time.time()
    os.utime(suite / "shard-0-of-2.lock", (started + 5000,) * 2)
    # It waits for the GPU of the one that works …
    assert _waiting_after(5500, suite, started, monkeypatch) == "1 of 2 shards have not begun"
    # … and may never begin: when a shard ends with a wrong key, Kubernetes ends the pods that wait as well.
    assert _waiting_after(5700, suite, started, monkeypatch) == ""


def test_the_journal_is_a_sign_of_life_where_the_heartbeat_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = _suite(tmp_path / "suite", ["x"])
    started = time.time()
    for index in (0, 1):
        _lock(suite, index, "at work")
    (suite / "journal.shard-1-of-2.jsonl").write_text("")
    os.utime(suite / "journal.shard-1-of-2.jsonl", (started + 5000,) * 2)
    assert _waiting_after(5500, suite, started, monkeypatch)
    assert _waiting_after(5700, suite, started, monkeypatch) == ""


def test_locks_of_an_earlier_submission_are_no_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = _suite(tmp_path / "suite", ["x"])
    started = time.time()
    for index in (0, 1):
        _lock(suite, index, "")
        os.utime(suite / f"shard-{index}-of-2.lock", (_LONG_AGO, _LONG_AGO))

    def waiting(seconds: float) -> str:
        return _waiting_after(seconds, suite, started, monkeypatch, submitted=started - 100)

    # The pods of a resumed suite wait in the cluster's queue, for days if need be.
    assert waiting(5000) == "none of 2 shards has begun"
    assert waiting(module.QUEUE_SECONDS + 1) == ""
    # One that ended before the wait began is of this submission.
    os.utime(suite / "shard-0-of-2.lock", (started - 50,) * 2)
    assert waiting(500) == "1 of 2 shards have not begun"
    assert waiting(700) == ""


def test_the_command_knows_when_the_shards_were_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(module, "await_shards", lambda *arguments: calls.append(arguments))
    settings = cast(Settings, SimpleNamespace(suite_path=tmp_path, models=("a/b",)))
    module.run_await_shards(settings, environ={"SHARD_COUNT": "3", module.SUBMITTED_VARIABLE: "1700000000"})
    module.run_await_shards(settings, environ={})
    assert calls == [(tmp_path, 3, 1_700_000_000, ("a/b",)), (tmp_path, 1, 0, ("a/b",))]


def _waiting_after(
    seconds: float, suite: Path, started: float, monkeypatch: pytest.MonkeyPatch, submitted: float = 0
) -> str:
    """What is awaited that long after the wait began."""
    with monkeypatch.context() as patch:
        patch.setattr(module.time, "time", lambda: started + seconds)
        return module._waiting_for(suite, 2, started, 600, submitted)


def _waits(suite: Path, *steps: Callable[[], object]) -> int:
    """How many steps it took until the wait was over."""
    todo = iter(steps)
    done = 0

    def sleep(seconds: float) -> None:
        nonlocal done
        next(todo)()
        done += 1

    await_shards(suite, 2, sleep=sleep)
    return done


def _lock(suite: Path, index: int, content: str) -> None:
    (suite / f"shard-{index}-of-2.lock").write_text(content)


def _suite_run(suite: Path, name: str) -> None:
    run = suite / name
    (suite / "x").rename(run)
    _suite(suite.parent / name, ["x"])
    (suite.parent / name / "x").rename(suite / "x")
    spec = json.loads((run / "run_spec.json").read_bytes())
    (run / "run_spec.json").write_text(json.dumps({**spec, "name": name}))
