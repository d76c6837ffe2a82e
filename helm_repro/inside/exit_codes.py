"""The exit codes of every command, in and outside the container."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What a caller (a CI job, Slurm, Kubernetes) may rely on.

    ``description`` is the text of the README's table.
    """

    description: str

    def __new__(cls, value: int, description: str) -> ExitCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    OK = 0, "all done"
    CONFIGURATION = 2, "a variable, argument or file is wrong; nothing was run"
    PARTIAL = 3, "some runs failed; the rest are finished and summarised"
    CREDENTIALS = 4, "a credential or gated dataset is missing or was refused"
    API = 5, "the model API refused or rate-limited throughout"
    UPSTREAM_DATA = 6, "data that HELM downloads is unavailable"
    DIFFERS = 7, "verification found a difference"
    INTERRUPTED = 130, "stopped by SIGINT; run again to continue"
    TERMINATED = 143, "stopped by SIGTERM; run again to continue"
