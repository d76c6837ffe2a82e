"""A forked process that runs run specs, one after the other, as its parent deals them.

It starts with everything imported and configured. Every run begins with the same state of
the global random generators: HELM leaves them as the previous run did (in the first run,
seeded by the operating system), so that what draws from them without seeding would depend
on which runs came before. HELM's own scenarios and samplers seed before they draw.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn, Optional

import numpy
from helm.benchmark.run_spec import RunSpec
from helm.benchmark.runner import Runner
from helm.common.hierarchical_logger import hlog, htrack_block

from helm_repro.inside import failures
from helm_repro.inside.parallel import log_lines
from helm_repro.inside.parallel.metered_helm import Progress, use_meter
from helm_repro.inside.parallel.metering import Meter, use_stores
from helm_repro.inside.parallel.request_cache import AnswerFiles
from helm_repro.inside.parallel.slots import Slots
from helm_repro.inside.suite.journal import Journal
from helm_repro.inside.system.locks import Claims
from helm_repro.inside.system.parent_death import die_with

_SEED = 0
# Of each request in a traceback, so that a long prompt does not push out the rest.
_REQUEST_CHARACTERS = 500


def work(
    runner: Runner,
    run_specs: Sequence[RunSpec],
    parent: Connection,
    slots: Optional[Slots],
    cache_path: Path,
    answers_path: Path,
    boss: int,
    label: Optional[str],
    redact: Callable[[str], str],
) -> NoReturn:
    """Receive indices of run specs until the parent closes; send back what became of each; end the process.

    Args:
        parent: gives ``int``, takes ``("done", fields)`` or ``("fail", fields)`` with the journal's fields.
        cache_path: where HELM has its request cache.
        answers_path: where REQUEST_CACHE has it.
        boss: process that must not be outlived.
        label: put before each log line.
        redact: takes the keys out of what is logged or sent back.
    """
    status = 1
    try:
        die_with(boss)
        # The parent decides what a signal means; here it ends the process without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        log_lines.rewrite(redact, label or "")
        files = AnswerFiles(cache_path, answers_path)
        meter = Meter(Claims(answers_path), slots)
        progress = Progress(Journal(runner.runs_path))
        use_stores(files, meter)
        use_meter(runner, meter, progress)
        while True:
            try:
                index = parent.recv()
            except EOFError:
                break
            parent.send(_run(runner, run_specs[index], meter, progress, redact))
        files.close()
        status = 0
    except BaseException:
        sys.stderr.write(redact(traceback.format_exc()))
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            # Not sys.exit: this process must not run what its parent registered for exit.
            os._exit(status)


def _run(
    runner: Runner, run_spec: RunSpec, meter: Meter, progress: Progress, redact: Callable[[str], str]
) -> tuple[str, dict[str, object]]:
    started = time.monotonic()
    sent = meter.sent
    progress.begin(run_spec.name)
    random.seed(_SEED)
    numpy.random.seed(_SEED)
    event, fields = "done", {}
    try:
        with htrack_block(f"Running {run_spec.name}"):
            runner.run_one(run_spec)
    except Exception as error:
        hlog(f"Error when running {run_spec.name}:\n{traceback.format_exc()}")
        event, fields = "fail", describe_error(error, redact)
    return event, {
        "run": run_spec.name,
        "seconds": round(time.monotonic() - started, 3),
        "requests": progress.total,
        "sent": meter.sent - sent,
        **fields,
    }


def describe_error(error: BaseException, redact: Callable[[str], str]) -> dict[str, str]:
    """Say what failed first: the innermost cause is what a user can act on.

    Everything is redacted before it is cut, since half a key would not be recognized.
    """
    cause = error
    while (inner := _cause(cause)) is not None:
        cause = inner
    trace = failures.without_requests(redact("".join(traceback.format_exception(error))), keep=_REQUEST_CHARACTERS)
    return {"error": _line(error, redact), "cause": _line(cause, redact), "traceback": trace[-8000:]}


def _cause(error: BaseException) -> Optional[BaseException]:
    # Before a server's refusal there was only another attempt, as HELM's to find a tokenizer's files here.
    if getattr(error, "response", None) is not None:
        return None
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _line(error: BaseException, redact: Callable[[str], str]) -> str:
    return failures.without_requests(redact(f"{type(error).__name__}: {error}"))[:2000]
