"""Errors of the host side. ``str(error)`` is one line, ready for a user."""

from __future__ import annotations

from helm_repro.inside.exit_codes import ExitCode


class HelmReproError(Exception):
    """Something the user can mend; ``exit_code`` is what the command ends with."""

    exit_code: ExitCode = ExitCode.CONFIGURATION


class ConfigurationError(HelmReproError):
    """A file or argument of the user's is wrong."""


class EngineError(HelmReproError):
    """No engine could do what was asked (no Docker, no image, build failed)."""
