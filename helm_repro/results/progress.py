"""A live display of a running suite, read from its journal."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Optional

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from helm_repro.results.written_suite import WrittenSuite

_SECONDS_BETWEEN_LOOKS = 0.5


class LiveProgress:
    """Shows runs done of total, answered requests and elapsed time until the block ends."""

    def __init__(self, suite: WrittenSuite, console: Console):
        self._suite = suite
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("runs · {task.fields[requests]} requests"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("starting", total=None, requests=0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._look()
        self._progress.stop()

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_LOOKS):
            self._look()

    def _look(self) -> None:
        total: Optional[int] = None
        finished, requests, now = 0, 0, "starting"
        for event in self._suite.events():
            kind = event["event"]
            if kind == "plan":
                # One plan for each shard.
                total = (total or 0) + len(event["runs"])
            elif kind == "start":
                now = str(event["run"])
            elif kind in ("done", "fail"):
                finished += 1
                requests += int(event.get("requests") or 0)
        self._progress.update(self._task, total=total, completed=finished, requests=requests, description=f"{now[:60]}")
