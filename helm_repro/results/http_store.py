"""Published results over HTTP, through the cache.

Invariants: what is returned had the announced length and, where the server gives one,
the announced MD5; anything less is fetched again, and after ``ATTEMPTS`` it is an error.
An answer that was checked within ``FRESH_SECONDS`` is not asked for again; an older
one is revalidated by its ETag.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Optional

import httpx
import tenacity
from rich.progress import Progress, TaskID

from helm_repro.results.cache import Cache, Known
from helm_repro.results.store import NotPublished, PublishedError

ATTEMPTS = 5
FRESH_SECONDS = 24 * 3600
# First wait between attempts; doubles, with jitter.
WAIT_SECONDS = 1.0
_MD5 = re.compile(r"\bmd5=([A-Za-z0-9+/]{22}==)")
_SHOW_FROM_BYTES = 1_000_000


class _Incomplete(Exception):
    """A body that is shorter than announced, or has another digest."""


class HttpStore:
    """A ``benchmark_output`` at an HTTP or HTTPS address. Safe to use from several threads."""

    def __init__(
        self,
        base: str,
        cache: Cache,
        progress: Optional[Progress] = None,
        fresh_seconds: float = FRESH_SECONDS,
        on_stale: Callable[[str], None] = lambda message: None,
    ):
        """Open the store; nothing is asked yet.

        Args:
            progress: shows downloads of a megabyte and more.
            on_stale: told when the network is away and a cached copy is used unchecked.
        """
        self._base = base.rstrip("/")
        self._cache = cache
        self._progress = progress
        self._fresh = fresh_seconds
        self._on_stale = on_stale
        self._client = httpx.Client(
            timeout=httpx.Timeout(60, connect=20),
            follow_redirects=True,
            headers={"User-Agent": "helm-repro", "Accept-Encoding": "gzip"},
        )
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=WAIT_SECONDS, max=20) + tenacity.wait_random(0, WAIT_SECONDS),
            reraise=True,
        )

    def get(self, path: str) -> bytes:
        """See ``Store``."""
        url = self.where(path)
        found = self._cache.find(url)
        if found and time.time() - found[0].asked < self._fresh:
            return found[1]
        try:
            # A copy of the policy: its state of attempts is not to be shared between threads.
            content = self._retrying.copy()(self._fetch, url, found[0] if found else None)
        except _Incomplete as error:
            raise PublishedError(f"{url}: download was cut short {ATTEMPTS} times ({error})") from error
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status in (403, 404, 410):
                raise NotPublished(f"{url}: not published (HTTP {status})") from error
            raise PublishedError(f"{url}: HTTP {status}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if found:
                self._on_stale(f"{url}: no answer ({error}); using the copy of {_day(found[0].asked)}")
                return found[1]
            raise PublishedError(f"{url}: {type(error).__name__}: {error}") from error
        if content is None:
            assert found is not None
            self._cache.touch(found[0])
            return found[1]
        return content

    def where(self, path: str = "") -> str:
        """See ``Store``."""
        return "/".join([self._base, *(urllib.parse.quote(part, safe="") for part in path.split("/") if part)])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _fetch(self, url: str, known: Optional[Known]) -> Optional[bytes]:
        """Download and keep; ``None``: what is known is still valid."""
        conditional = {"If-None-Match": known.etag} if known and known.etag else {}
        with self._client.stream("GET", url, headers=conditional) as response:
            if response.status_code == 304 and known:
                return None
            response.raise_for_status()
            content = self._read(response)
            announced = response.headers.get("Content-Length")
            if announced is not None and response.num_bytes_downloaded != int(announced):
                raise _Incomplete(f"{response.num_bytes_downloaded} of {announced} bytes")
            _check_md5(content, response.headers)
            etag = response.headers.get("ETag")
        self._cache.store(url, content, etag)
        return content

    def _read(self, response: httpx.Response) -> bytes:
        total = int(response.headers.get("Content-Length") or 0)
        task: Optional[TaskID] = None
        if self._progress and total >= _SHOW_FROM_BYTES:
            name = urllib.parse.unquote(response.url.path.rpartition("/")[2])
            task = self._progress.add_task(name, total=total)
        try:
            chunks = []
            for chunk in response.iter_bytes(65536):
                chunks.append(chunk)
                if self._progress and task is not None:
                    self._progress.update(task, completed=response.num_bytes_downloaded)
            return b"".join(chunks)
        finally:
            if self._progress and task is not None:
                self._progress.remove_task(task)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 429, 500, 502, 503, 504)
    return isinstance(error, (_Incomplete, httpx.TransportError, httpx.DecodingError))


def _check_md5(content: bytes, headers: Mapping[str, str]) -> None:
    # Google Cloud Storage sends "x-goog-hash: crc32c=…,md5=…" of the stored object.
    given = _MD5.search(headers.get("x-goog-hash", ""))
    if given is None or headers.get("x-goog-stored-content-encoding", "identity") != "identity":
        return
    found = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    if found != given.group(1):
        raise _Incomplete(f"MD5 is {found}, announced {given.group(1)}")


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
