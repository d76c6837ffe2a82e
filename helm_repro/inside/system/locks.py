"""Locks between processes that the kernel drops when their holder dies, however it dies.

Each name locks one byte of a file, at an offset computed from the name (open file
description locks, fcntl(2)): no list of names to keep, nothing to clean up after kill -9.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

FILE_NAME = "in-flight.lock"
_NOT_SUPPORTED = (errno.ENOLCK, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


class Claims:
    """Names of which each is held by one thread of one process at a time.

    Args:
        directory: holds the lock file. Processes with the same directory exclude each other,
            even from several containers. If its file system has no locks, only the threads
            of this process do.
    """

    def __init__(self, directory: Path):
        # Closed when the process ends; the process must not fork while names are held.
        self._file = _open(directory)
        self._changed = threading.Condition()
        self._held: set[str] = set()

    def take(self, name: str) -> None:
        """Wait until nobody holds ``name``, then hold it."""
        with self._changed:
            while name in self._held:
                self._changed.wait()
            self._held.add(name)
        try:
            _lock(self._file, name, fcntl.F_WRLCK)
        except BaseException:
            self._forget(name)
            raise

    def drop(self, name: str) -> None:
        """Stop holding ``name``."""
        _lock(self._file, name, fcntl.F_UNLCK)
        self._forget(name)

    def _forget(self, name: str) -> None:
        with self._changed:
            self._held.discard(name)
            self._changed.notify_all()


@contextlib.contextmanager
def byte_lock(directory: Path, name: str) -> Iterator[None]:
    """Hold ``name`` among the processes that share ``directory``."""
    file = _open(directory)
    try:
        _lock(file, name, fcntl.F_WRLCK)
        yield
    finally:
        os.close(file)


def _open(directory: Path) -> int:
    return os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _lock(file: int, name: str, kind: int) -> None:
    # 62 bits, so that offset + 1 stays a valid signed offset.
    offset = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 2
    # struct flock: type, whence, start, length, pid (0 for these locks), with the ABI's padding.
    request = struct.pack("hhqqi", kind, os.SEEK_SET, offset, 1, 0)
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLKW, request)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
