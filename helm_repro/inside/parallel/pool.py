"""Deals run specs to forked workers, lends them slots, and survives their deaths.

Only this process writes ``start``, ``done`` and ``fail`` to the journal, so each run that
started has exactly one end, whatever happened to its worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import NoReturn, Optional

from helm_repro.inside import failures
from helm_repro.inside.parallel.slots import SlotDesk, Slots
from helm_repro.inside.suite.journal import Journal

Work = Callable[[Connection, Optional[Slots], Optional[str]], NoReturn]
"""What a forked worker does; see ``worker.work``. Arguments: connection, slots, label of log lines."""

_SECONDS_TO_BE_STOPPED_TOO = 2.0


@dataclasses.dataclass
class _Worker:
    number: int
    pid: int
    connection: Connection
    slots: Optional[Slots]
    death: int
    run: Optional[str] = None
    started: float = 0.0


class Pool:
    """Use as a context manager; leaving it ends every worker.

    Args:
        runs: names of the runs; workers get their indices, in this order.
        jobs: number of workers.
        requests: number of slots for requests in flight.
        prepare: imports what workers need late. It runs in a thread while the first worker works;
            the other workers are forked after it, never during it: a fork would inherit the thread's
            import locks, held for ever.
        stop_on_failure: deal no further run after one failed.
    """

    def __init__(
        self,
        work: Work,
        runs: list[str],
        jobs: int,
        requests: int,
        journal: Journal,
        prepare: Callable[[], None],
        stop_on_failure: bool = False,
    ):
        self._work = work
        self._runs = runs
        self._jobs = jobs
        self._journal = journal
        self._stop_on_failure = stop_on_failure
        self._waiting = deque(range(len(runs)))
        self._workers: dict[int, _Worker] = {}
        self._desk = SlotDesk(requests)
        self._selector = selectors.DefaultSelector()
        self._failed: list[str] = []
        self._last_number = 0
        self._preparing: Optional[threading.Thread] = None
        if jobs > 1:
            self._preparing = threading.Thread(target=self._prepare, args=(prepare,), daemon=True)
            self._prepared = os.eventfd(0, os.EFD_CLOEXEC)
            self._selector.register(self._prepared, selectors.EVENT_READ, ("prepared", None))

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)
        if self._preparing and self._preparing.ident is not None:
            self._preparing.join()
        self._selector.close()

    def run(self) -> list[str]:
        """Run everything and return the names of the runs that failed."""
        while self._waiting or self._workers:
            while self._waiting and len(self._workers) < self._jobs and not (self._preparing and self._last_number):
                self._start_worker()
            if self._preparing and self._preparing.ident is None:
                self._preparing.start()
            events = [key.data for key, _ in self._selector.select()]
            if any(what == "slots" for what, _ in events):
                self._desk.serve()
            if self._preparing and any(what == "prepared" for what, _ in events):
                self._preparing.join()
                self._preparing = None
                self._selector.unregister(self._prepared)
                os.close(self._prepared)
            for what, worker in events:
                if what == "message":
                    self._receive(worker)
            for what, worker in events:
                if what == "death":
                    self._bury(worker)
        return self._failed

    def _prepare(self, prepare: Callable[[], None]) -> None:
        try:
            prepare()
        finally:
            os.eventfd_write(self._prepared, 1)

    def _start_worker(self) -> None:
        connection, far_end = Pipe()
        # A lone worker has as many threads as there are slots.
        slots = Slots() if self._jobs > 1 else None
        self._last_number += 1
        # Else the first garbage collection in the worker copies every page of what is imported.
        gc.collect()
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            # An end left open here would keep another worker from noticing that it is to stop.
            connection.close()
            for other in self._workers.values():
                other.connection.close()
                os.close(other.death)
            self._selector.close()
            self._work(far_end, slots, f"[{self._last_number}] " if self._jobs > 1 else None)
        far_end.close()
        worker = _Worker(self._last_number, pid, connection, slots, os.pidfd_open(pid))
        self._workers[worker.number] = worker
        self._selector.register(connection, selectors.EVENT_READ, ("message", worker))
        self._selector.register(worker.death, selectors.EVENT_READ, ("death", worker))
        if slots is not None:
            self._desk.open(worker.number, slots)
            for counter in (slots.asked, slots.returned):
                self._selector.register(counter, selectors.EVENT_READ, ("slots", worker))
        self._deal(worker)

    def _deal(self, worker: _Worker) -> None:
        # What a worker sent with its last breath is read after its death: a run dealt then would count as killed.
        if not self._waiting or wait([worker.death], timeout=0):
            self._hang_up(worker)
            return
        index = self._waiting.popleft()
        worker.run, worker.started = self._runs[index], time.monotonic()
        self._journal.write("start", run=worker.run)
        if worker.slots is not None:
            self._desk.rank(worker.number, index)
        with contextlib.suppress(BrokenPipeError):  # it died; its death says so
            worker.connection.send(index)

    def _receive(self, worker: _Worker) -> None:
        try:
            event, fields = worker.connection.recv()
        except (EOFError, ConnectionError):
            self._hang_up(worker)
            return
        worker.run = None
        self._finish(event, fields)
        self._deal(worker)

    def _finish(self, event: str, fields: dict[str, object]) -> None:
        self._journal.write(event, **fields)
        if event != "fail":
            return
        self._failed.append(str(fields["run"]))
        failure = failures.classify_event(fields)
        if self._stop_on_failure or failure.fatal:
            for index in self._waiting:
                cause = f"not started, since {fields['run']} failed: {fields['cause']}"
                self._journal.write("fail", run=self._runs[index], seconds=0, cause=cause, error=cause, traceback="")
                self._failed.append(self._runs[index])
            self._waiting.clear()

    def _hang_up(self, worker: _Worker) -> None:
        if not worker.connection.closed:
            self._selector.unregister(worker.connection)
            worker.connection.close()

    def _bury(self, worker: _Worker) -> None:
        while not worker.connection.closed and worker.connection.poll():
            self._receive(worker)
        self._hang_up(worker)
        self._selector.unregister(worker.death)
        os.close(worker.death)
        status = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        del self._workers[worker.number]
        if worker.slots is not None:
            for counter in (worker.slots.asked, worker.slots.returned):
                self._selector.unregister(counter)
            self._desk.close(worker.number)
        if worker.run is None:
            return
        if -status in (signal.SIGTERM, signal.SIGINT):
            # A signal to the whole group reaches the workers first; then this run was stopped, it did not fail.
            time.sleep(_SECONDS_TO_BE_STOPPED_TOO)
        what = f"killed by signal {-status}" if status < 0 else f"ended with {status}"
        cause = f"WorkerDied: the run's process was {what}{' (out of memory?)' if status == -signal.SIGKILL else ''}"
        if status == failures.DISK_FULL_STATUS:
            cause = "WorkerDied: No space left on device for the model's answers"
        fields = {"run": worker.run, "seconds": round(time.monotonic() - worker.started, 3)}
        self._finish("fail", {**fields, "error": cause, "cause": cause, "traceback": ""})
