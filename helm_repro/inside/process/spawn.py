"""Starts the process that holds HELM (see ``zygote``), if that helps before anything else is imported.

The entrypoint takes as long to import its own modules and read its settings as HELM's process takes to
start; on two CPUs both happen at once. What is imported here is paid before both.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from helm_repro.inside.system.cpus import usable_cpus

# Reads nothing from the environment that settings decide; what the libraries of clients and scenarios read
# (HF_HOME, HF_HUB_OFFLINE) they read when they are imported, later.
FIRST = "helm.benchmark.run"
_PACKAGE_PARENT = str(Path(__file__).absolute().parents[3])
_COMMANDS = ("run", "plan", "preflight", "dry-run")

Spawned = tuple["subprocess.Popen[bytes]", int, int]
"""The process, and the descriptors that requests are written to and answers read from."""

_early: list[Spawned] = []


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` with what Python reads when the process starts."""
    path = os.pathsep.join(filter(None, (_PACKAGE_PARENT, environ.get("PYTHONPATH"))))
    # HELM writes sets to its tables (adaptation methods in groups.json); unseeded, their order is chance.
    return {"PYTHONHASHSEED": "0", **environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def spawn_early(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Start it for the entrypoint's command if that will import HELM, and nothing has to come before."""
    command = words[0] if words else environ.get("STAGES") or "run"
    if command.startswith(_COMMANDS) and environ.get("OFFLINE", "0") in ("", "0") and usable_cpus() > 1:
        # What keeps it from starting now will keep it from starting later, and is said then.
        with contextlib.suppress(OSError):
            _early.append(_spawn(environment(environ), FIRST))


def spawn(environ: Mapping[str, str]) -> Spawned:
    """The process that was started early, or a new one."""
    return _early.pop() if _early else _spawn(environ, "")


def discard() -> None:
    """End the process that was started early and that nobody wanted."""
    while _early:
        process, request_descriptor, answer_descriptor = _early.pop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(request_descriptor)
        os.close(answer_descriptor)


def _spawn(environ: Mapping[str, str], first: str) -> Spawned:
    request_read, request_write = os.pipe()
    answer_read, answer_write = os.pipe()
    process = subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "helm_repro.inside.process.zygote"),
            *map(str, (os.getpid(), request_read, answer_write)),
            *([first] if first else []),
        ],
        pass_fds=(request_read, answer_write),
        env=environ,
        stdin=subprocess.DEVNULL,
        # A group of its own, so that one signal reaches HELM and whatever HELM started.
        start_new_session=True,
    )
    os.close(request_read)
    os.close(answer_write)
    return process, request_write, answer_read
