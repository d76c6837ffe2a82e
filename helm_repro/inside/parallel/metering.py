"""Requests in flight: at most so many, and never the same one twice at once.

HELM's Cache looks an answer up, computes it on a miss and stores it
(``Cache.get``, helm/common/cache.py). While a run asks a model, a miss first claims the
request among all processes that share the cache, looks again, and takes one of the
slots that bound the requests in flight. The claim ends when the answer is stored.

Invariants:

* A thread never waits for a claim while it holds a slot, nor for a second claim: nothing can deadlock.
* A failed request keeps its slot while HELM backs off and retries, as it keeps its thread
  in plain HELM: a rate limit is not answered with more requests.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Optional

from helm.common import cache as helm_cache
from helm.common.cache import KeyValueStoreCacheConfig, SqliteCacheConfig
from helm.common.key_value_store import KeyValueStore, request_to_key

from helm_repro.inside.parallel.request_cache import AnswerFiles
from helm_repro.inside.parallel.slots import Slots
from helm_repro.inside.system.locks import Claims


class Meter:
    """What the threads of one worker hold. Without ``slots`` the number of requests is not bounded here."""

    def __init__(self, claims: Claims, slots: Optional[Slots]):
        self._claims = claims
        self._slots = slots
        self._phases = 0
        self._mutex = threading.Lock()
        self._mine = threading.local()
        self.sent = 0

    @contextlib.contextmanager
    def phase(self) -> Iterator[None]:
        """While any thread is inside, misses count as requests."""
        with self._mutex:
            self._phases += 1
        try:
            yield
        finally:
            with self._mutex:
                self._phases -= 1

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """What HELM retries as one request; at its end nothing stays held."""
        self._mine.retrying = True
        try:
            yield
        finally:
            self._mine.retrying = False
            self._drop()

    def enter(self, name: str) -> bool:
        """Hold the claim for ``name`` and a slot. False: not metered, do not call ``leave``."""
        mine = self._mine
        if not self._phases or getattr(mine, "computing", False):
            return False
        if getattr(mine, "claim", None) != name:
            self._drop()
            self._claims.take(name)
            mine.claim = name
        mine.computing = True
        return True

    def send(self) -> None:
        """Take a slot for the claimed request, which is about to be sent."""
        if self._slots is not None and not getattr(self._mine, "slot", False):
            self._slots.take()
            self._mine.slot = True
        with self._mutex:
            self.sent += 1

    def leave(self, answered: bool) -> None:
        """The claimed request was answered, or failed and may be retried by the same thread."""
        self._mine.computing = False
        if answered or not getattr(self._mine, "retrying", False):
            self._drop()

    def _drop(self) -> None:
        mine = self._mine
        if self._slots is not None and getattr(mine, "slot", False):
            mine.slot = False
            self._slots.give()
        if getattr(mine, "claim", None) is not None:
            self._claims.drop(mine.claim)
            mine.claim = None


class MeteredStore(KeyValueStore):  # type: ignore[misc]
    """One use of a key-value store by ``Cache.get``: get, and on a miss put, or an exception between them."""

    def __init__(self, store: KeyValueStore, name: str, meter: Meter):
        self._store = store
        self._name = name
        self._meter = meter
        self._entered = False

    def __enter__(self) -> MeteredStore:
        self._store.__enter__()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._entered:
            self._leave(answered=False)
        self._store.__exit__(kind, error, traceback)

    def get(self, key: Mapping[str, Any]) -> Optional[dict[str, Any]]:
        answer: Optional[dict[str, Any]] = self._store.get(key)
        if answer:
            return answer
        self._entered = self._meter.enter(f"{self._name}\n{request_to_key(key)}")
        if self._entered:
            # Whoever held the claim before may have stored the answer.
            answer = self._store.get(key)
            if answer:
                self._leave(answered=True)
            else:
                self._meter.send()
        return answer

    def put(self, key: Mapping[str, Any], value: dict[str, Any]) -> None:
        self._store.put(key, value)
        if self._entered:
            self._leave(answered=True)

    def contains(self, key: Mapping[str, Any]) -> bool:
        return bool(self._store.contains(key))

    def get_all(self) -> Generator[tuple[dict[str, Any], dict[str, Any]], None, None]:
        yield from self._store.get_all()

    def multi_put(self, pairs: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        self._store.multi_put(pairs)

    def remove(self, key: Mapping[str, Any]) -> None:
        self._store.remove(key)

    def _leave(self, answered: bool) -> None:
        self._entered = False
        self._meter.leave(answered)


def use_stores(files: AnswerFiles, meter: Meter) -> None:
    """Let HELM's caches in this process use ``files`` and ``meter``.

    A cache configuration reaches HELM through ``CacheBackendConfig``, but which store
    serves it is decided by ``create_key_value_store`` alone, with a fixed list of classes
    (helm/common/cache.py, 0.5.6 to 0.5.16). There is no hook, so that function is replaced
    in our own process; configurations it did not serve with SQLite are served as before.
    """
    original: Callable[[KeyValueStoreCacheConfig], KeyValueStore] = helm_cache.create_key_value_store

    def create(config: KeyValueStoreCacheConfig) -> KeyValueStore:
        store = files.open(config.path) if isinstance(config, SqliteCacheConfig) else original(config)
        # Suites may reach one cache by several paths.
        return MeteredStore(store, os.path.realpath(config.cache_stats_key), meter)

    helm_cache.create_key_value_store = create
