"""A suite is written by one process, or by the shards of one division; who comes second is refused by name."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from helm_repro.inside.errors import VariableError
from helm_repro.inside.inputs.shard import WHOLE, Shard
from helm_repro.inside.suite.suite_lock import locked

fork = multiprocessing.get_context("fork")
_ROUNDS = 500
Holder = Callable[[Shard], int]


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    """Have another process hold the lock of the suite or a shard; gives its number."""
    children: list[int] = []

    def hold(shard: Shard) -> int:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            with locked(tmp_path, shard):
                os.write(write, b"x")
                time.sleep(600)
        children.append(child)
        assert os.read(read, 1) == b"x"
        return child

    yield hold
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (WHOLE, WHOLE, ""),
        (WHOLE, Shard(1, 4), ""),
        (Shard(1, 4), WHOLE, "shard 1 of 4, "),
        (Shard(1, 4), Shard(1, 4), "shard 1 of 4, "),
        (Shard(0, 4), Shard(5, 8), "shard 0 of 4, "),
    ],
)
def test_writers_of_the_same_runs_exclude_each_other(
    holder: Holder, tmp_path: Path, first: Shard, second: Shard, named: str
) -> None:
    pid = holder(first)
    says = f"SUITE_NAME={tmp_path.name}: is being written by {named}process {pid} on "
    with pytest.raises(VariableError, match=says), locked(tmp_path, second):
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    started = time.monotonic()
    with locked(tmp_path, second):
        assert time.monotonic() - started < 2, "the dead of this machine are not waited for"


def test_shards_of_one_division_work_side_by_side_and_may_be_started_again(holder: Holder, tmp_path: Path) -> None:
    victim = holder(Shard(0, 4))
    holder(Shard(1, 4))
    with locked(tmp_path, Shard(2, 4)):
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        with locked(tmp_path, Shard(0, 4)):
            pass


def test_of_rivals_that_start_together_exactly_one_kind_goes_on(tmp_path: Path) -> None:
    rivals = [WHOLE, Shard(0, 2)]
    together = fork.Barrier(len(rivals))
    answers = fork.SimpleQueue()
    children = [fork.Process(target=_try, args=(tmp_path, shard, together, answers)) for shard in rivals]
    for child in children:
        child.start()
    rounds = list(zip(*(answers.get() for _ in rivals), strict=True))
    for child in children:
        child.join()
    assert [len({count for count in counts if count}) for counts in rounds] == [1] * _ROUNDS


def _try(suite: Path, shard: Shard, together: Barrier, answers: SimpleQueue[list[int]]) -> None:
    got = []
    for _ in range(_ROUNDS):
        together.wait()
        # The barrier lets one after the other go.
        while time.monotonic() % 0.002 > 0.0001:
            pass
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(suite, shard))
                got.append(shard.count)
            except VariableError:
                got.append(0)
            together.wait()
        together.wait()
    answers.put(got)


def test_the_dead_of_other_machines_are_watched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(time, "sleep", sleeps.append)
    mine, rival = tmp_path / "suite.lock", tmp_path / "shard-3-of-8.lock"
    for path in (mine, rival):
        path.write_text(json.dumps({"host": "node7", "pid": 12, "boot": "another", "heartbeat": 0}))
        os.utime(path, (1000, 1000))
    for _ in range(2):
        with locked(tmp_path):
            pass
    assert len(sleeps) == 1, "its own and the rival's together, and no more once they are known to be dead"
    assert rival.read_text() == ""
    assert rival.stat().st_mtime == 1000, "await-shards must not take this for a shard's begin"


def test_a_rival_that_begins_while_the_dead_are_watched_keeps_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = tmp_path / "shard-3-of-8.lock"
    record = {"host": "node7", "pid": 12, "boot": "another", "heartbeat": 0}
    rival.write_text(json.dumps(record))
    started = json.dumps({**record, "host": "node8"})
    monkeypatch.setattr(time, "sleep", lambda _: rival.write_text(started))
    with pytest.raises(VariableError, match="process 12 on node8"), locked(tmp_path):
        pass
    assert rival.read_text() == started


@pytest.mark.parametrize(("file", "mine"), [("shard-2-of-4.lock", WHOLE), ("suite.lock", Shard(0, 4))])
def test_a_heartbeat_from_another_machine_is_seen(tmp_path: Path, file: str, mine: Shard) -> None:
    """Where flock does not reach: only the record tells."""
    record = {"host": "node7", "pid": 12, "boot": "another", "heartbeat": 0}
    (tmp_path / file).write_text(json.dumps(record))
    with locked(tmp_path, mine):
        pass
    (tmp_path / file).write_text(json.dumps(record))
    ended = threading.Event()

    def beat() -> None:
        with (tmp_path / file).open("r+") as opened:
            while not ended.wait(0.5):
                opened.seek(0)
                opened.write(json.dumps({**record, "heartbeat": time.time()}).ljust(200))
                opened.flush()

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        with pytest.raises(VariableError, match="process 12 on node7"), locked(tmp_path, mine):
            pass
    finally:
        ended.set()
        heart.join()
    assert json.loads((tmp_path / file).read_text())["host"] == "node7", "its record is its own"
