"""A content-addressed cache of downloads.

``objects/ab/<sha256>`` holds contents, ``index/<sha256 of the address>.json`` what an
address gave: digest, ETag, length and when it was last asked for. Equal files of
several releases are stored once.

Invariants: an object is renamed into place only when it is whole; an object whose
digest does not match its name is treated as absent; several processes may share a cache.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Optional

CACHE_VARIABLE = "HELM_REPRO_CACHE"


@dataclasses.dataclass(frozen=True)
class Known:
    """What the cache knows of an address; ``asked`` is in seconds since the epoch."""

    url: str
    sha256: str
    length: int
    etag: Optional[str]
    asked: float


def default_cache(root: Path) -> Path:
    """``published`` below HELM_REPRO_CACHE, or below the checkout's ``.cache``."""
    return Path(os.environ.get(CACHE_VARIABLE) or root / ".cache") / "published"


class Cache:
    """Contents by address."""

    def __init__(self, root: Path):
        self._objects = root / "objects"
        self._index = root / "index"

    def find(self, url: str) -> Optional[tuple[Known, bytes]]:
        """What was stored for the address, or ``None`` if it was not or is damaged."""
        try:
            known = Known(**json.loads(self._entry(url).read_bytes()))
            content = self._object(known.sha256).read_bytes()
        except (OSError, ValueError, TypeError):
            return None
        if hashlib.sha256(content).hexdigest() != known.sha256:
            return None
        return known, content

    def store(self, url: str, content: bytes, etag: Optional[str]) -> None:
        """Keep a whole file."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._object(digest)
        # Written again even if it is there: the copy on disk may be a damaged one.
        _write(path, content)
        self._write_entry(Known(url, digest, len(content), etag, time.time()))

    def touch(self, known: Known) -> None:
        """Note that the address still gives the same."""
        self._write_entry(dataclasses.replace(known, asked=time.time()))

    def _write_entry(self, known: Known) -> None:
        _write(self._entry(known.url), json.dumps(dataclasses.asdict(known)).encode())

    def _entry(self, url: str) -> Path:
        return self._index / f"{hashlib.sha256(url.encode()).hexdigest()}.json"

    def _object(self, digest: str) -> Path:
        return self._objects / digest[:2] / digest


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
