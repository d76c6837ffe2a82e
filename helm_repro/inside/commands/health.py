"""``healthcheck``: Docker asks whether the container is well.

Healthy means that the server stage answers. While earlier stages still compute the
check fails, which Docker shows as "starting" (the image sets a long start period).
A container without a server stage is healthy as long as it runs.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from helm_repro.inside.inputs.settings import Settings, read_stages
from helm_repro.inside.variables import STAGES

# Of tini, which starts the entrypoint with the words that the container was given.
_COMMAND_LINE = Path("/proc/1/cmdline")
_ENTRYPOINT = "entrypoint.py"


def check(settings: Settings, as_json: bool = False, environ: Mapping[str, str] = os.environ) -> int:
    """The command's exit status: 0 healthy, 1 not (the two that Docker knows)."""
    return 0 if is_healthy(settings, environ) else 1


def is_healthy(settings: Settings, environ: Mapping[str, str], command_line: Path = _COMMAND_LINE) -> bool:
    """Ask the server, if there is to be one, for the small file that HELM's page loads first."""
    words = _words(command_line.read_bytes().decode(errors="replace").split("\0"))
    if not set(words) <= set(STAGES) or "server" not in read_stages(environ, settings.board, words):
        return True
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=5)
    try:
        connection.request("GET", "/config.js")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _words(arguments: Sequence[str]) -> list[str]:
    """What follows the entrypoint's name; nothing if the container was started in another way."""
    names = [Path(argument).name for argument in arguments]
    given = arguments[names.index(_ENTRYPOINT) + 1 :] if _ENTRYPOINT in names else ()
    return [word for word in given if word and word != "--json"]
