"""One writer per suite: the second container on the same suite is refused.

A suite has one writer, or the shards of one division, one process each. Whoever writes
locks a file of its own, ``suite.lock`` or ``shard-2-of-4.lock``, and then looks whether a
rival's is held: for a whole run every shard's, for a shard that of a whole run and those
of other numbers of shards, which divide the same runs in another way.

Two marks, because neither is enough alone. ``flock`` is released by the kernel the
moment its owner dies, but not every shared file system carries it between machines. The
owner's record with its heartbeat works everywhere, but outlives a killed owner; so a
record left behind by another machine is watched for a few heartbeats before it is taken
over; a rival's is emptied then, for nobody else would, and each later start would watch it
again. Containers of one machine share its kernel (and boot id), so there flock decides.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.shard import WHOLE, Shard
from helm_repro.inside.system.locks import byte_lock

HEARTBEAT_SECONDS = 1.0
_WATCH_SECONDS = 3.5
_SHARDS_LOCK = re.compile(r"shard-(?P<index>[0-9]+)-of-(?P<count>[0-9]+)\.lock")

# What an owner has written into its lock file.
_Record = dict[str, Any]


@contextlib.contextmanager
def locked(suite_path: Path, shard: Shard = WHOLE) -> Iterator[None]:
    """Hold the suite (or one shard of it) for the length of the block.

    Raises:
        VariableError: another process writes it, or what this one would write; the message names it.
    """
    path = suite_path / f"{shard.name or 'suite'}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InsideError(f"{path}: {error.strerror}", ExitCode.CONFIGURATION) from error
    try:
        # In turn, so that of two rivals that start together one goes on.
        with byte_lock(suite_path, "writers"):
            flocked = _flock(descriptor, path, fcntl.LOCK_EX)
            rivals = _rivals(suite_path, shard)
            for rival in rivals:
                _refuse_locked(rival)
        dead = _refuse_beating([path, *rivals], flocked)
        with _beating(descriptor):
            # Again: a rival on another machine, where flock may not be seen, looks for our heartbeat as we for its.
            dead |= _refuse_beating(_rivals(suite_path, shard), flocked, dead)
            for rival in dead.keys() - {path}:
                _empty(rival, dead[rival])
            yield
    finally:
        os.close(descriptor)


def _rivals(suite_path: Path, shard: Shard) -> list[Path]:
    """Lock files of those that write what this one would; not those of the same division's other shards."""
    holders = {path: _holder(path) for path in sorted(suite_path.glob("*.lock"))}
    return [path for path, holder in holders.items() if holder and holder.count != shard.count]


def _flock(descriptor: int, path: Path, operation: int) -> bool:
    """Lock the file; ``False`` on a file system without flock, where the heartbeat alone decides.

    Raises:
        VariableError: somebody holds it.
    """
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _owned(path, _record(path)) from None
    except OSError:
        return False
    return True


def _refuse_locked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _flock(descriptor, path, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _refuse_beating(
    paths: Sequence[Path], flocked: bool, dead: Optional[Mapping[Path, _Record]] = None
) -> dict[Path, _Record]:
    """Watch what the owners have written, as far as flock or ``dead`` has not told that they are dead.

    Returns:
        The records that did not move.
    """
    known = dead or {}
    records = {path: record for path in paths if (record := _record(path)) and record != known.get(path)}
    unsure = {path: record for path, record in records.items() if not (flocked and record.get("boot") == _boot_id())}
    if not unsure:
        return {}
    time.sleep(_WATCH_SECONDS)
    for path, before in unsure.items():
        after = _record(path)
        if after is not None and after != before:
            raise _owned(path, after)
    return unsure


def _empty(path: Path, dead: _Record) -> None:
    """Empty the lock file of an owner that died, unless another has written since. A live one writes again."""
    with contextlib.suppress(OSError):
        before = path.stat()
        if _record(path) == dead:
            os.truncate(path, 0)
            # The time says when the owner last worked: await-shards tells by it which shards have begun.
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _owned(path: Path, record: Optional[_Record]) -> VariableError:
    who = f"process {record['pid']} on {record['host']}" if record else "another process"
    holder = _holder(path)
    part = f"{holder}, " if holder and not holder.is_whole else ""
    reason = f"is being written by {part}{who}; wait for it or choose another name"
    return VariableError("SUITE_NAME", path.parent.name, reason)


def _holder(path: Path) -> Optional[Shard]:
    """Whose lock file this is; ``None`` if it is no such file."""
    if path.name == "suite.lock":
        return WHOLE
    match = _SHARDS_LOCK.fullmatch(path.name)
    return Shard(int(match["index"]), int(match["count"])) if match else None


def _record(path: Path) -> Optional[_Record]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


@contextlib.contextmanager
def _beating(descriptor: int) -> Iterator[None]:
    """Be known as the owner, and as alive, for the length of the block."""
    _write_record(descriptor)
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


def _beat(descriptor: int, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):
            _write_record(descriptor)


def _write_record(descriptor: int) -> None:
    record = {"host": socket.gethostname(), "pid": os.getpid(), "boot": _boot_id(), "heartbeat": round(time.time(), 3)}
    # Fixed width: a reader never sees the tail of a longer, older record.
    os.pwrite(descriptor, json.dumps(record).ljust(300).encode(), 0)


@functools.cache
def _boot_id() -> str:
    """The same for everything that runs on this kernel until it is booted again."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
