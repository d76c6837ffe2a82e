"""One stage: log its start with the exact command, run it, log its end with its duration."""

from __future__ import annotations

import shlex
import time
from typing import Optional

from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.process.helm_process import HelmProcess
from helm_repro.inside.suite.journal import Journal


def run_stage_command(
    helm: HelmProcess, settings: Settings, name: str, command: list[str], listen_on: Optional[str] = None
) -> int:
    """Run one of HELM's commands as a stage and return its exit status.

    Raises:
        Stopped: a signal ended it.
    """
    say("stage", f"{name} starts: {shlex.join(command)}")
    started = time.monotonic()
    status: Optional[int] = None
    try:
        status = helm.command(command, listen_on)
    finally:
        seconds = round(time.monotonic() - started, 3)
        say("stage", f"{name} ended after {seconds:.1f} s")
        Journal(settings.suite_path).write("stage", stage=name, status=status, seconds=seconds)
    return status
