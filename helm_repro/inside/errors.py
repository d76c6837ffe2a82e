"""Errors inside the container. ``str(error)`` is one line, ready for a user."""

from __future__ import annotations

from helm_repro.inside.exit_codes import ExitCode


class InsideError(Exception):
    """Ends the entrypoint with ``exit_code`` and the message as one line."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.CONFIGURATION):
        super().__init__(message)
        self.exit_code = exit_code


class VariableError(InsideError):
    """An environment variable has a value that is not allowed."""

    def __init__(self, name: str, value: object, allowed: str):
        text = str(value)
        # The message is one line, whatever was given.
        shown = repr(text) if any(ord(character) < 32 for character in text) else text
        super().__init__(f"{name}={shown}: {allowed}")
        self.name = name


class Stopped(InsideError):
    """A signal asked us to end; what is finished stays finished."""

    def __init__(self, signum: int):
        code = ExitCode.INTERRUPTED if signum == 2 else ExitCode.TERMINATED
        super().__init__("stopped; run the same command again to continue", code)
