"""The entrypoint's handle on the process that holds HELM (see ``zygote``).

Invariants: SIGTERM and SIGINT reach the running HELM command at once; no process
outlives the entrypoint; a command that does not end within ``GRACE_SECONDS`` of
the signal is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Optional

from helm_repro.inside.errors import InsideError, Stopped
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.process import spawn

GRACE_SECONDS = 5


class HelmProcess:
    """Use as a context manager; the process is there from :meth:`start` on, or else from the first request."""

    def __init__(self, directory: Path, environ: Mapping[str, str]):
        self._directory = directory
        self._environ = spawn.environment(environ)
        self._stopped_by: Optional[int] = None
        self._process: Optional[subprocess.Popen[bytes]] = None

    def start(self, preload: Sequence[str], later: Sequence[str] = ()) -> None:
        """Start importing in the background; does nothing in a process that is there already.

        Args:
            preload: modules to import before the first request.
            later: modules to import while HELM's commands run.
        """
        if self._process is not None:
            return
        self._process, request_descriptor, answer_descriptor = spawn.spawn(self._environ)
        self._requests = os.fdopen(request_descriptor, "w", encoding="utf-8")
        self._answers = os.fdopen(answer_descriptor, encoding="utf-8")
        begin = {"directory": str(self._directory), "environment": self._environ}
        # If it has died already, the first request will say so.
        with contextlib.suppress(BrokenPipeError):
            self._tell({**begin, "import": list(preload), "later": list(later)})

    def __enter__(self) -> HelmProcess:
        self._previous = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        signal.alarm(0)
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)
        self._signal_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._answers.close()
            with contextlib.suppress(BrokenPipeError):
                self._requests.close()

    def command(self, argv: Sequence[str], listen_on: Optional[str] = None) -> int:
        """Run one of HELM's console commands and return its exit status.

        Args:
            listen_on: address for a server that the command starts.

        Raises:
            Stopped: a signal arrived before or while it ran.
            InsideError: the process that holds HELM died (out of memory, import failure).
        """
        return self._ask({"command": list(argv), "listen_on": listen_on})

    def call(self, function: str, **argument: object) -> Any:
        """Call ``module:function`` with HELM imported and return its JSON-able result.

        Raises:
            Stopped: as in :meth:`command`.
            InsideError: the function raised; its traceback is in the log.
        """
        with tempfile.TemporaryDirectory(prefix="helm-repro-") as directory:
            result = Path(directory, "result.json")
            status = self._ask({"call": function, "argument": argument, "result": str(result)})
            if status != 0:
                raise InsideError(f"{function} ended with {status}; the reason is above", ExitCode.CONFIGURATION)
            return json.loads(result.read_text(encoding="utf-8"))

    def preload(self, modules: Sequence[str], meanwhile: Sequence[str] = (), in_long_calls: Sequence[str] = ()) -> None:
        """Import modules once for all commands and calls that follow; replaces what earlier calls left to import.

        Args:
            modules: now.
            meanwhile: while calls run. When a call ends, the module that is being imported is waited for.
            in_long_calls: after those, while a call runs that takes longer than a tenth of a second.
        """
        self._ask({"import": list(modules), "meanwhile": list(meanwhile), "in_long_calls": list(in_long_calls)})

    def pause(self, seconds: float) -> None:
        """Sleep, but end at once when a signal arrives.

        Raises:
            Stopped: it did.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._raise_if_stopped()
            time.sleep(min(left, 0.2))

    def _ask(self, request: Mapping[str, object]) -> int:
        self._raise_if_stopped()
        self.start(())
        try:
            self._tell(request)
            answer = self._answers.readline()
        except BrokenPipeError:
            answer = ""
        self._raise_if_stopped()
        if not answer:
            status = self._process.wait() if self._process else 0
            killed = " (killed: out of memory?)" if status == -signal.SIGKILL else ""
            raise InsideError(f"HELM's process ended with {status}{killed}", ExitCode.PARTIAL)
        return int(json.loads(answer)["status"])

    def _tell(self, request: Mapping[str, object]) -> None:
        self._requests.write(json.dumps(request) + "\n")
        self._requests.flush()

    def _on_signal(self, signum: int, frame: Optional[FrameType]) -> None:
        if signum == signal.SIGALRM:
            self._signal_group(signal.SIGKILL)
            return
        self._stopped_by = self._stopped_by or signum
        self._signal_group(signal.SIGTERM)
        signal.alarm(GRACE_SECONDS)

    def _raise_if_stopped(self) -> None:
        if self._stopped_by is not None:
            raise Stopped(self._stopped_by)

    def _signal_group(self, signum: int) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signum)
