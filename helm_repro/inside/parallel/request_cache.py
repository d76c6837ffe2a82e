"""HELM's request cache, one connection per process instead of one per request.

HELM opens its cache anew for every lookup (``Cache.get``, helm/common/cache.py, 0.5.6 to
0.5.16): sqlitedict then starts a thread, formats a stack trace and waits for two commits
with a rollback journal, milliseconds in all, and processes that share the file end in
"database is locked". Here the same file in the same format, ``prod_env/cache/<host>.sqlite``
with table ``unnamed`` of JSON keys and pickled values, is kept open.

One file per host as in plain HELM, not one per run: different run specs ask equal
requests (data augmentation repeats the unperturbed instances), and what plain HELM
cached earlier is found.

* Durable at every answer: each is committed before it is used. In WAL mode with
  ``synchronous=NORMAL`` a commit is a write to the log without fsync, so killing the
  process loses nothing and a power failure at most the last answers, never the file.
* Several processes: WAL readers never wait, a writer waits for at most some other
  writers' single inserts.
* Readable by plain HELM: ``release`` turns the file back to the rollback journal,
  because sqlitedict's own switch on opening fails if another thread has it open.
* Only on file systems known to be of one machine: WAL's shared memory does not work
  across machines (https://sqlite.org/wal.html, "All processes using a database must be on
  the same host computer"). On any other the rollback journal is used throughout.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import sqlite3
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

from helm.common.key_value_store import KeyValueStore, request_to_key

from helm_repro.inside.failures import DISK_FULL_STATUS
from helm_repro.inside.system.locks import byte_lock

BUSY_SECONDS = 600
# Those that other machines may share are too many to name; on one missing here commits are only slower.
_LOCAL_FILE_SYSTEMS = (
    *("btrfs", "bcachefs", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "reiserfs", "xfs", "zfs"),
    *("aufs", "fuse.fuse-overlayfs", "overlay", "ramfs", "tmpfs"),
)
# More than an answer takes in the file and its log; with less room than this the disk is as good as full.
_TRIAL_BYTES = 100_000
# As in sqlitedict, which HELM reads and writes the file with.
_CREATE = 'CREATE TABLE IF NOT EXISTS "unnamed" (key TEXT PRIMARY KEY, value BLOB)'
_SELECT = 'SELECT value FROM "unnamed" WHERE key = ?'
_REPLACE = 'REPLACE INTO "unnamed" (key, value) VALUES (?, ?)'


class AnswerFile(KeyValueStore):  # type: ignore[misc]
    """One cache file, held open by this process and shared by its threads. Leaving the context keeps it open."""

    def __init__(self, path: str):
        self._path = path
        self._mutex = threading.Lock()
        # Switching to WAL needs the file alone, so processes that start together take turns.
        # By its name: suites with own models reach the same folder by other paths.
        with byte_lock(Path(path).parent, Path(path).name):
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute(f"PRAGMA journal_mode={'WAL' if is_local(path) else 'DELETE'}")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(_CREATE)

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        pass

    def close(self) -> None:
        """Close the connection; the last one to close folds the log into the file."""
        with self._mutex:
            self._connection.close()

    def contains(self, key: Mapping[str, Any]) -> bool:
        return self.get(key) is not None

    def get(self, key: Mapping[str, Any]) -> Optional[dict[str, Any]]:
        text = request_to_key(key)
        with self._mutex:
            row = self._connection.execute(_SELECT, (text,)).fetchone()
        return None if row is None else pickle.loads(row[0])

    def get_all(self) -> Generator[tuple[dict[str, Any], dict[str, Any]], None, None]:
        raise NotImplementedError("HELM reads whole caches with get_all_from_sqlite")

    def put(self, key: Mapping[str, Any], value: dict[str, Any]) -> None:
        text, pickled = request_to_key(key), pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        with self._mutex:
            try:
                self._connection.execute(_REPLACE, (text, pickled))
            except sqlite3.OperationalError as error:
                if not _is_full(error, Path(self._path).parent, len(pickled)):
                    raise  # HELM tries again, with the answer in hand
                # HELM would ask, and pay, for the same answer up to 25 times more (the retries of
                # helm/common/cache.py inside those of helm/clients/auto_client.py), for minutes.
                os.write(2, f"helm-repro: error {self._path}: no space left for answers\n".encode())
                os._exit(DISK_FULL_STATUS)

    def multi_put(self, pairs: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        for key, value in pairs:
            self.put(key, value)

    def remove(self, key: Mapping[str, Any]) -> None:
        with self._mutex:
            self._connection.execute('DELETE FROM "unnamed" WHERE key = ?', (request_to_key(key),))


def answers_folder(cache: Path, kind: str, suite: str, shard: str) -> Path:
    """Where REQUEST_CACHE has the files.

    A hosted model may change under its name, which only a suite that asks it anew can show; and one file that
    many machines write to is soon what all of them wait for (docs/cluster.md).

    Args:
        cache: where plain HELM has them.
        kind: ``shared``, ``suite`` or ``shard``.
        shard: this shard's name; empty if there are none.
    """
    if kind == "shared":
        return cache
    return cache / "suites" / suite / (shard if kind == "shard" else "")


class AnswerFiles:
    """The open cache files of this process, by the path that HELM expects them at.

    Args:
        cache: folder that HELM expects its files in.
        directory: folder that they are in instead.
    """

    def __init__(self, cache: Path, directory: Path) -> None:
        self._cache = os.path.realpath(cache)
        self._directory = directory
        self._mutex = threading.Lock()
        self._files: dict[str, AnswerFile] = {}

    def open(self, path: str) -> AnswerFile:
        """The file that HELM expects at ``path``, opened and created on first use."""
        with self._mutex:
            if path not in self._files:
                self._files[path] = AnswerFile(self._place_of(path))
            return self._files[path]

    def _place_of(self, path: str) -> str:
        folder, name = os.path.split(os.path.realpath(path))
        return str(self._directory / name) if folder == self._cache else path

    def close(self) -> None:
        """Close all. Threads that still use one get sqlite3.ProgrammingError."""
        with self._mutex:
            for file in self._files.values():
                file.close()
            self._files.clear()


def release(directory: Path) -> None:
    """Turn the cache files in ``directory`` back to the journal mode that plain HELM uses.

    A file that another process has open stays as it is; it is as readable, but for HELM's
    first moment with several threads.
    """
    for path in sorted(directory.glob("*.sqlite")):
        with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA busy_timeout=0")
            connection.execute("PRAGMA journal_mode=DELETE")


def _is_full(error: sqlite3.OperationalError, directory: Path, size: int) -> bool:
    """Whether a write of ``size`` bytes failed for want of space.

    A full disk shows as an I/O error where the log cannot be extended, but so does a network
    file system that is away for a moment (https://sqlite.org/rescode.html).
    """
    primary = error.sqlite_errorcode & 0xFF
    return primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and _has_no_room(directory, size))


def _has_no_room(directory: Path, size: int) -> bool:
    # Written, not looked up: a quota shows nowhere else (statvfs(3)). Random, because zeros may take no space.
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(os.urandom(size + _TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return False


def is_local(path: str, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether ``path`` is on a file system that no other machine can share."""
    best = ("", "")
    for point, kind in _mounts(mounts):
        inside = point == "/" or (os.path.realpath(path) + "/").startswith(point + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1] in _LOCAL_FILE_SYSTEMS


def _mounts(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        yield point.replace("\\040", " "), kind
