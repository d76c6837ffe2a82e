"""The suite's journal: one JSON object per line, appended while the suite runs.

Events: ``plan`` (names of the runs, the models, whether these are all of the models' runs),
``start``, ``done``, ``fail`` (with error, cause and traceback), ``stage`` (a stage began or
ended). Readers must skip a last line that is cut short: the writer may have been killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

from helm_repro.inside.errors import VariableError
from helm_repro.inside.inputs.shard import WHOLE, Shard, read_shard

FILE_NAME = "journal.jsonl"


class Journal:
    """Appends to the journal of one suite; safe to use from several processes at once."""

    def __init__(self, suite_path: Union[str, Path]):
        # Every shard has a journal of its own: appending is not atomic on every shared file system.
        self._path = Path(suite_path, _shard().file_name(FILE_NAME))

    def write(self, event: str, **fields: object) -> None:
        """Append one event with the time (seconds since the epoch)."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **fields}) + "\n"
        # One write on a file opened for appending: lines of several processes stay whole.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            with contextlib.suppress(OSError):  # a full disk must not stop what can still go on
                os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the events in order; nothing if there is no journal yet."""
        return _events(self._path)

    def read_suite(self) -> list[dict[str, Any]]:
        """The events of all shards, by time."""
        paths = sorted(self._suite_files())
        return sorted((event for path in paths for event in _events(path)), key=lambda event: event["time"])

    def suite_has(self, text: str) -> bool:
        """Whether any shard's journal contains the text, which must need no escapes in JSON. Parses nothing."""
        return any(text.encode() in path.read_bytes() for path in self._suite_files())

    def _suite_files(self) -> Iterator[Path]:
        return self._path.parent.glob("journal*.jsonl")


def _shard() -> Shard:
    try:
        return read_shard(os.environ)
    except VariableError:
        # The run stage has refused such variables by now; other stages and readers do not mind them.
        return WHOLE


def _events(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
