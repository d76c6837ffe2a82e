"""One writer per suite: the second container on the same suite waits or is refused.

Two marks, because neither is enough alone. ``flock`` is released by the kernel the
moment its owner dies, but not every shared file system carries it between machines. The
owner's record with its heartbeat works everywhere, but outlives a killed owner; so a
record left behind by another machine is watched for a few heartbeats before it is taken
over. Containers of one machine share its kernel (and boot id), so there flock decides.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.exit_codes import ExitCode

HEARTBEAT_SECONDS = 1.0
_WATCH_SECONDS = 3.5


@contextlib.contextmanager
def locked(suite_path: Path, part: str = "suite") -> Iterator[None]:
    """Hold the lock of the suite (or of one shard of it) for the length of the block.

    Raises:
        VariableError: another process owns it; the message names it.
    """
    path = suite_path / f"{part}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InsideError(f"{path}: {error.strerror}", ExitCode.CONFIGURATION) from error
    try:
        _acquire(descriptor, path, suite_path.name)
        ended = threading.Event()
        heart = threading.Thread(target=_beat, args=(descriptor, ended), daemon=True)
        heart.start()
        try:
            yield
        finally:
            ended.set()
            heart.join()
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, suite: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _owned(_owner(path), suite) from None
    except OSError:
        flocked = False  # A file system without flock: the heartbeat alone decides.
    else:
        flocked = True
    before = _owner(path)
    if before is None or (flocked and before.get("boot") == _boot_id()):
        _write_owner(descriptor)
        return
    time.sleep(_WATCH_SECONDS)
    after = _owner(path)
    if after is not None and after != before:
        raise _owned(after, suite)
    _write_owner(descriptor)


def _owned(owner: Optional[dict[str, Any]], suite: str) -> VariableError:
    who = f"process {owner['pid']} on {owner['host']}" if owner else "another process"
    return VariableError("SUITE_NAME", suite, f"is being written by {who}; wait for it or choose another name")


def _owner(path: Path) -> Optional[dict[str, Any]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _write_owner(descriptor: int) -> None:
    record = {"host": socket.gethostname(), "pid": os.getpid(), "boot": _boot_id(), "heartbeat": round(time.time(), 3)}
    # Fixed width: a reader never sees the tail of a longer, older record.
    os.pwrite(descriptor, json.dumps(record).ljust(300).encode(), 0)


@functools.cache
def _boot_id() -> str:
    """The same for everything that runs on this kernel until it is booted again."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _beat(descriptor: int, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):
            _write_owner(descriptor)
