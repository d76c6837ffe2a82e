"""``healthcheck``: Docker asks whether the container is well.

Healthy means that the server stage answers. While earlier stages still compute the
check fails, which Docker shows as "starting" (the image sets a long start period).
A container whose stages do not include the server is healthy as long as it runs.
"""

from __future__ import annotations

import http.client
from pathlib import Path

from helm_repro.inside.inputs.settings import Settings

_COMMAND_LINE = Path("/proc/1/cmdline")


def check(settings: Settings, as_json: bool = False) -> int:
    """The command's exit status: 0 healthy, 1 not (the two that Docker knows)."""
    return 0 if is_healthy(settings) else 1


def is_healthy(settings: Settings, command_line: Path = _COMMAND_LINE) -> bool:
    """Ask the server for the small file that HELM's page loads first."""
    arguments = command_line.read_bytes().decode(errors="replace").split("\0")
    if "server" not in (*arguments, *(() if _names_stages(arguments) else settings.stages)):
        return True
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=5)
    try:
        connection.request("GET", "/config.js")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _names_stages(arguments: list[str]) -> bool:
    return any(stage in arguments for stage in ("run", "summarize", "server", "plan", "preflight", "describe"))
