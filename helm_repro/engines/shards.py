"""Several shards on one host: as many containers (or processes) at once, then one that summarizes.

Each shard is driven by a child process of its own, because an engine handles signals
for the one run that it drives. Invariants: a signal for us reaches every shard; no shard
outlives us; their lines are never mixed within a line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import selectors
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.context import ForkProcess

from helm_repro.engines.request import Engine, RunRequest
from helm_repro.errors import ConfigurationError, HelmReproError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.settings import NEW_SUITE, REFUSED_IN_SHARDS

Write = Callable[[bytes], None]
_STOPPED = (ExitCode.INTERRUPTED, ExitCode.TERMINATED)


def run_shards(engine: Engine, request: RunRequest, count: int, write: Write) -> int:
    """Run the stages of a request with the run stage in ``count`` shards; return its exit code.

    NUM_THREADS holds for each shard. Stages after the run stage follow once all shards
    have ended, unless they were stopped or none of them got anything done.

    Raises:
        ConfigurationError: the variables cannot be used with shards.
    """
    stages = list(request.words) or request.variables.get("STAGES", "run,summarize,server").replace(",", " ").split()
    if "run" not in stages or count == 1:
        return engine.run(request, write)
    if request.variables.get("RESUME", "").strip() == NEW_SUITE:
        raise ConfigurationError(f"RESUME={NEW_SUITE}: {REFUSED_IN_SHARDS}")
    variables = {name: value for name, value in request.variables.items() if name != "STAGES"}
    parts = [
        dataclasses.replace(
            request,
            words=("run",),
            variables={**variables, "SHARD_INDEX": str(index), "SHARD_COUNT": str(count)},
            publish=None,
        )
        for index in range(count)
    ]
    codes = _run_all(engine, parts, write)
    code = _worst(codes)
    rest = tuple(stage for stage in stages if stage != "run")
    if not rest or code not in (ExitCode.OK, ExitCode.PARTIAL):
        return code
    rest_variables = {name: value for name, value in variables.items() if not name.startswith("SHARD_")}
    return engine.run(dataclasses.replace(request, words=rest, variables=rest_variables), write) or code


def _run_all(engine: Engine, parts: list[RunRequest], write: Write) -> list[int]:
    # fork: the catalogue is loaded and the engine is ready; nothing of ours runs in a thread here.
    context = multiprocessing.get_context("fork")
    children: list[ForkProcess] = []
    pipes: dict[int, bytes] = {}
    try:
        for index, part in enumerate(parts):
            read, end = os.pipe()
            child = context.Process(target=_child, args=(type(engine), part, end))
            child.start()
            os.close(end)
            children.append(child)
            pipes[read] = f"shard {index}: ".encode()
        with _signals_go_to(children):
            _copy_lines(pipes, write)
            for child in children:
                child.join()
    finally:
        for child in children:
            if child.is_alive():
                child.terminate()
            child.join()
        for pipe in pipes:
            os.close(pipe)
    codes = [child.exitcode or 0 for child in children]
    # A child that a signal ended has the signal's number, negative; shells and we write 128 + it.
    return [128 - code if code < 0 else code for code in codes]


def _child(kind: type[Engine], part: RunRequest, pipe: int) -> None:
    # An engine of its own: a connection to Docker cannot be shared.
    try:
        code = kind().run(part, lambda chunk: _write_all(pipe, chunk))
    except HelmReproError as error:
        _write_all(pipe, f"helm-repro: error {error}\n".encode())
        code = int(error.exit_code)
    sys.exit(code)


def _write_all(pipe: int, chunk: bytes) -> None:
    while chunk:
        chunk = chunk[os.write(pipe, chunk) :]


def _copy_lines(pipes: Mapping[int, bytes], write: Write) -> None:
    """Pass whole lines on, each with its shard in front, until every pipe is closed."""
    unfinished = dict.fromkeys(pipes, b"")
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                chunk = os.read(key.fd, 65536)
                *lines, unfinished[key.fd] = (unfinished[key.fd] + chunk).split(b"\n")
                if not chunk:
                    selector.unregister(key.fd)
                    lines = [unfinished[key.fd]] if unfinished[key.fd] else []
                if lines:
                    write(b"".join(pipes[key.fd] + line + b"\n" for line in lines))


def _worst(codes: list[int]) -> int:
    """One exit code for all: stopped before failed; partial where some shard got something done."""
    for stopped in _STOPPED:
        if stopped in codes:
            return int(stopped)
    failed = [code for code in codes if code]
    if not failed:
        return int(ExitCode.OK)
    if len(failed) < len(codes) or ExitCode.PARTIAL in failed or len(set(failed)) > 1:
        return int(ExitCode.PARTIAL)
    return failed[0]


@contextlib.contextmanager
def _signals_go_to(children: list[ForkProcess]) -> Iterator[None]:
    def forward(signum: int, frame: object) -> None:
        for child in children:
            if child.pid and child.is_alive():
                os.kill(child.pid, signum)

    previous = {signum: signal.signal(signum, forward) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
