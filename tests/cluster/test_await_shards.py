"""``await-shards``: ends when the shards have, and not before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helm_repro.inside import await_shards as module
from helm_repro.inside.await_shards import await_shards
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


def test_shards_that_died_are_not_awaited_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = _suite(tmp_path / "suite", ["x"])
    for index in (0, 1):
        _lock(suite, index, "killed at work")
    started = time.time()
    monkeypatch.setattr(module.time, "time", lambda: started + 500)
    assert module._waiting_for(suite, 2, started, quiet_seconds=600)
    monkeypatch.setattr(module.time, "time", lambda: started + 700)
    assert module._waiting_for(suite, 2, started, quiet_seconds=600) == ""
    # Old silence is no sign: a suite that is resumed lay there for long.
    assert module._waiting_for(suite, 2, started + 650, quiet_seconds=600)


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
