"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A claim without its file for that long: who made it has died. Longer than network file systems
# keep what they know of a folder (acdirmax is 60 s in nfs(5), actimeo at most that in common set-ups of SMB).
CLAIM_SECONDS = 120.0
_SECONDS_BETWEEN_LOOKS = 0.2


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place at the end, unless an error ends the block.

    Raises:
        OSError: it could not be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON, whole or not at all, even through a crash or a full disk.

    Raises:
        OSError: it could not be written; what was there before still is.
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """As :func:`write_json`, for any text."""
    # Containers that share a volume have equal process numbers, and with the host's network one name.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_json_once(path: Path, value: Any, own_name: str) -> None:
    """Write ``value`` as JSON unless ``path`` exists; of several writers at once exactly one does.

    Args:
        own_name: name of a temporary file beside it that no other writer uses.

    Returns:
        Once ``path`` is there, whoever wrote it.

    Raises:
        OSError: it could not be written.
    """
    if path.exists():
        return
    own = path.with_name(own_name)
    write_json(own, value)
    try:
        # Unlike a rename, a link never replaces what another wrote in the meantime; atomic on NFS too.
        os.link(own, path)
    except FileExistsError:
        pass
    except OSError:
        # SMB and many FUSE file systems have no links (EPERM, EOPNOTSUPP, ENOSYS).
        _move_once(own, path)
    finally:
        own.unlink(missing_ok=True)


def _move_once(own: Path, path: Path) -> None:
    """Rename ``own`` to ``path`` if this process is the first to claim that, else wait for who is.

    Claims stay: one that went away would let a writer in who looked for ``path`` before it was there.
    """
    for number in itertools.count():
        with contextlib.suppress(FileExistsError):
            claim = path.with_name(f".{path.name}.claim-{number}")
            os.close(os.open(claim, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
            own.replace(path)
            return
        given_up = time.monotonic() + CLAIM_SECONDS
        while not path.exists() and time.monotonic() < given_up:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        if path.exists():
            return
