"""A local server that speaks OpenAI's protocol, so that tests can count what an evaluation would have paid for.

Answers are computed from the prompt alone, hence equal in every run. The server is one
asyncio loop with its own small HTTP parser: with 64 requests in flight it costs about
0.2 ms of CPU each, so a benchmark measures the client.

In process::

    with OpenAIServer(latency=0.3) as server:
        ...server.base_url...
        assert server.most_answers_for_one_request == 1

In a process of its own: ``python -m tests.support.openai_server --port 8080``; its record is
then at ``GET /control`` and its behaviour changes with ``POST /control`` (see ``_control``).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import hashlib
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from tests.support.openai_answers import (
    chat_response,
    completion_response,
    plausible_answer,
    prompt_of,
    responses_response,
)

Answer = Callable[[str, Mapping[str, Any], int], str]
"""(prompt, request body, index of the choice) to the answer's text."""

KINDS = ("429", "500", "503", "reset", "stall")
_MAKE = {
    "/v1/chat/completions": chat_response,
    "/v1/completions": completion_response,
    "/v1/responses": responses_response,
}


@dataclasses.dataclass
class Failures:
    """Which requests fail, decided by the seed and the request, never by the clock.

    ``fraction`` gives each kind a probability, drawn anew for every attempt of a request;
    ``first`` makes each request's first attempts fail, one kind per attempt; ``schedule``
    names the outcome of the next requests, whichever they are ("ok" for none).
    ``retry_after`` and ``stall_seconds`` are in seconds.
    """

    fraction: Mapping[str, float] = dataclasses.field(default_factory=dict)
    first: Sequence[str] = ()
    schedule: Sequence[str] = ()
    seed: int = 0
    retry_after: float = 1
    stall_seconds: float = 600

    def __post_init__(self) -> None:
        unknown = {*self.fraction, *self.first, *self.schedule} - {*KINDS, "ok"}
        if unknown:
            raise ValueError(f"unknown kinds of failure {sorted(unknown)}, known: {KINDS}")
        self._left = list(self.schedule)

    def choose(self, key: str, attempt: int) -> Optional[str]:
        """The kind of failure for this attempt (from 0) of the request with this key."""
        if self._left:
            kind = self._left.pop(0)
            return None if kind == "ok" else kind
        if attempt < len(self.first):
            return None if self.first[attempt] == "ok" else self.first[attempt]
        draw = random.Random(f"{self.seed}:{key}:{attempt}").random()
        for kind, fraction in self.fraction.items():
            draw -= fraction
            if draw < 0:
                return kind
        return None


@dataclasses.dataclass(frozen=True)
class Record:
    """One request: when it came (seconds since the epoch), what it was, what it got (status or kind of failure)."""

    time: float
    path: str
    model: str
    key: str
    outcome: str
    seconds: float
    prompt: str = ""


class OpenAIServer:
    """Listens while used as a context manager. Attributes may be changed at any time.

    Args:
        api_key: the only key that is accepted; None accepts any.
        models: names that exist; None accepts any.
        latency: seconds until an answer is sent.
        probe: prompt that only tries whether the model answers, set later; counted apart.
        answer: computes the answer's text.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        models: Optional[Sequence[str]] = None,
        latency: float = 0.0,
        failures: Optional[Failures] = None,
        answer: Answer = plausible_answer,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        self.api_key = api_key
        self.models = models
        self.latency = latency
        self.probe: Optional[str] = None
        self.failures = failures or Failures()
        self.answer = answer
        self._host = host
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai-server", daemon=True)
        self.forget()

    def forget(self) -> None:
        """Start counting anew."""
        self.records: list[Record] = []
        self.sent: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self.authorizations: set[str] = set()

    @property
    def base_url(self) -> str:
        return f"http://{self._host}:{self._port}/v1"

    @property
    def most_answers_for_one_request(self) -> int:
        """How often the most often answered request body was answered: 1 if nothing was paid for twice."""
        return max(self.answered.values(), default=0)

    def __enter__(self) -> OpenAIServer:
        self._thread.start()
        start = asyncio.start_server(self._serve, self._host, self._port, backlog=1024, limit=2**26)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result()
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, path, _ = head.split(" ", 2)
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.authorizations.add(headers.get("authorization", ""))
                await self._respond(writer, method, path.partition("?")[0], headers, body)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client closed the connection, or the server closes
        finally:
            writer.close()

    async def _respond(
        self, writer: asyncio.StreamWriter, method: str, path: str, headers: Mapping[str, str], raw: bytes
    ) -> None:
        if path == "/control":
            await _write(writer, 200, self._control(json.loads(raw) if raw else {}))
        elif self.api_key is not None and headers.get("authorization") != f"Bearer {self.api_key}":
            self.records.append(Record(time.time(), path, "", "", "401", 0))
            # Whole, as LiteLLM's proxy repeats it.
            key = headers.get("authorization", "").removeprefix("Bearer ")
            await _write(writer, 401, _error(f"Incorrect API key provided: {key}", "invalid_api_key"))
        elif method == "GET" and path == "/v1/models":
            names = self.models if self.models is not None else []
            data = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in names]
            await _write(writer, 200, {"object": "list", "data": data})
        elif method == "POST" and path in _MAKE:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            started = time.time()
            try:
                body = json.loads(raw)
                key = f"{path} {hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]}"
                outcome = await self._model_request(writer, path, key, body)
            finally:
                self.in_flight -= 1
            model = str(body.get("model"))
            self.records.append(Record(started, path, model, key, outcome, time.time() - started, prompt_of(body)))
        else:
            await _write(writer, 404, _error(f"Invalid URL ({method} {path})", None))

    async def _model_request(self, writer: asyncio.StreamWriter, path: str, key: str, body: Mapping[str, Any]) -> str:
        model = str(body.get("model"))
        if self.models is not None and model not in self.models:
            await _write(writer, 404, _error(f"The model `{model}` does not exist", "model_not_found"))
            return "404"
        attempt = self.sent[key]
        self.sent[key] += 1
        failure = self.failures.choose(key, attempt)
        if failure == "reset":
            writer.transport.abort()
            return failure
        if failure == "stall":
            await asyncio.sleep(self.failures.stall_seconds)
            writer.transport.abort()
            return failure
        if failure is not None:
            extra = {"Retry-After": f"{self.failures.retry_after:g}"} if failure == "429" else {}
            code = "rate_limit_exceeded" if failure == "429" else None
            await _write(writer, int(failure), _error(f"Planned failure {failure}", code), extra)
            return failure
        if self.latency:
            await asyncio.sleep(self.latency)
        prompt = prompt_of(body)
        texts = [self.answer(prompt, body, index) for index in range(int(body.get("n") or 1))]
        self.answered[key] += 1
        await _write(writer, 200, _MAKE[path](key, prompt, body, texts))
        return "200"

    def _control(self, change: Mapping[str, Any]) -> dict[str, Any]:
        """Apply ``{"latency", "api_key", "models", "probe", "failures": {…}, "forget": true}`` and give the counts."""
        for name in ("latency", "api_key", "models", "probe"):
            if name in change:
                setattr(self, name, change[name])
        if "failures" in change:
            self.failures = Failures(**change["failures"])
        if change.get("forget"):
            self.forget()
        return {
            "sent": sum(self.sent.values()),
            "answered": sum(self.answered.values()),
            "unique": len(self.answered),
            "most_answers_for_one_request": self.most_answers_for_one_request,
            "most_in_flight": self.most_in_flight,
            "outcomes": dict(Counter(record.outcome for record in self.records)),
            "first_probe": self._first(lambda record: record.prompt == self.probe),
            "first_request": self._first(lambda record: record.prompt != self.probe),
            "last_request": max((record.time for record in self.records), default=None),
        }

    def _first(self, wanted: Callable[[Record], bool]) -> Optional[float]:
        return min((record.time for record in self.records if wanted(record)), default=None)


async def _write(
    writer: asyncio.StreamWriter, status: int, body: Mapping[str, Any], extra: Optional[Mapping[str, str]] = None
) -> None:
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} -", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (extra or {}).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + content)
    await writer.drain()


def _error(message: str, code: Optional[str]) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Serve until SIGINT or SIGTERM. Prints the base URL once it listens."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key")
    parser.add_argument("--model", action="append", help="a model that exists (repeatable; default: all)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds until an answer")
    parser.add_argument("--failures", type=json.loads, default={}, help="fields of Failures as JSON")
    given = parser.parse_args(arguments)
    stop = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: stop.set())
    failures = Failures(**given.failures)
    with OpenAIServer(given.api_key, given.model, given.latency, failures, host=given.host, port=given.port) as server:
        print(server.base_url, flush=True)
        while not stop.wait(0.5):
            pass


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
