"""The pool without HELM: dealing, deaths, slots."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn, Optional

import pytest

from helm_repro.inside.parallel.pool import Pool, Work
from helm_repro.inside.parallel.slots import SlotDesk, Slots
from helm_repro.inside.suite.journal import Journal


def working(do: Callable[[int, Optional[Slots]], Optional[str]]) -> Work:
    """A worker that calls ``do`` for each run; what it returns is the error."""

    def work(parent: Connection, slots: Optional[Slots], label: Optional[str]) -> NoReturn:
        try:
            while True:
                index = parent.recv()
                error = do(index, slots)
                fields = {"run": f"run{index}", "seconds": 0, "requests": 1}
                if error is None:
                    parent.send(("done", fields))
                else:
                    parent.send(("fail", {**fields, "error": error, "cause": error, "traceback": ""}))
        except EOFError:
            os._exit(0)

    return work


def run(tmp_path: Path, work: Work, runs: int = 8, jobs: int = 3, **options: Any) -> tuple[list[str], dict[str, Any]]:
    journal = Journal(tmp_path)
    names = [f"run{index}" for index in range(runs)]
    with Pool(work, names, jobs, 4, journal, prepare=lambda: None, **options) as pool:
        failed = pool.run()
    events = list(journal.read())
    ends = [event for event in events if event["event"] in ("done", "fail")]
    assert sorted(event["run"] for event in ends) == sorted(names), "each run ends once"
    assert {event["run"] for event in events if event["event"] == "start"} <= set(names)
    return failed, {event["run"]: event for event in ends}


def test_every_run_is_dealt_once(tmp_path: Path) -> None:
    failed, ends = run(tmp_path, working(lambda index, slots: None))
    assert failed == []
    assert len(ends) == 8


def test_a_failing_run_fails_alone(tmp_path: Path) -> None:
    failed, ends = run(tmp_path, working(lambda index, slots: "ValueError: odd" if index == 2 else None))
    assert failed == ["run2"]
    assert ends["run2"]["cause"] == "ValueError: odd"


def test_a_killed_worker_costs_its_run_only(tmp_path: Path) -> None:
    def die(index: int, slots: Optional[Slots]) -> None:
        if index in (0, 5):
            os.kill(os.getpid(), signal.SIGKILL)

    failed, ends = run(tmp_path, working(die))
    assert sorted(failed) == ["run0", "run5"]
    assert "killed by signal 9" in ends["run5"]["cause"]
    assert sum(event["event"] == "done" for event in ends.values()) == 6


@pytest.mark.parametrize("message_seen_first", [True, False])
def test_a_worker_that_dies_after_its_run_is_dealt_no_other(tmp_path: Path, message_seen_first: bool) -> None:
    def work(parent: Connection, slots: Optional[Slots], label: Optional[str]) -> NoReturn:
        index = parent.recv()
        parent.send(("done", {"run": f"run{index}", "seconds": 0, "requests": 1}))
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    journal = Journal(tmp_path)
    with Pool(work, ["run0", "run1", "run2"], 1, 4, journal, lambda: None) as pool:
        pool._start_worker()
        worker = pool._workers[1]
        # Both its message and its death are there before the pool looks.
        wait([worker.death])
        if message_seen_first:
            pool._receive(worker)
        pool._bury(worker)
        assert [event["event"] for event in journal.read()] == ["start", "done"]


def test_a_killed_workers_slots_return(tmp_path: Path) -> None:
    def keep_half_and_die(index: int, slots: Optional[Slots]) -> None:
        assert slots is not None
        for _ in range(2):
            slots.take()
        if index % 2 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        for _ in range(2):
            slots.give()

    failed, _ = run(tmp_path, working(keep_half_and_die), jobs=2)
    assert len(failed) == 4


def test_after_a_fatal_failure_no_run_starts(tmp_path: Path) -> None:
    failed, ends = run(tmp_path, working(lambda index, slots: "AuthenticationError: Error code: 401"), jobs=1)
    assert len(failed) == 8
    assert ends["run7"]["cause"].startswith("not started, since run0 failed: AuthenticationError")


def test_a_gated_tokenizer_keeps_no_other_run_from_starting(tmp_path: Path) -> None:
    error = "OSError: You are trying to access a gated repo.\n401 Client Error."
    failed, ends = run(tmp_path, working(lambda index, slots: error if index == 0 else None), jobs=1)
    assert failed == ["run0"]
    assert ends["run7"]["event"] == "done"


def test_leaving_the_pool_ends_its_workers(tmp_path: Path) -> None:
    before = children()
    pool = Pool(working(lambda index, slots: time.sleep(600)), ["run0"], 1, 4, Journal(tmp_path), lambda: None)
    with pool:
        pool._start_worker()
        assert len(children()) == len(before) + 1
    assert children() == before


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_the_earliest_run_is_served_first() -> None:
    early, late = Slots(), Slots()
    desk = SlotDesk(2)
    for worker, rank, slots in ((1, 7, late), (2, 3, early)):
        desk.open(worker, slots)
        desk.rank(worker, rank)
        os.eventfd_write(slots.asked, 2)
    desk.serve()
    os.set_blocking(late.lent, False)
    assert [os.eventfd_read(early.lent) for _ in range(2)] == [1, 1]
    early.give()
    desk.serve()
    assert os.eventfd_read(late.lent) == 1
