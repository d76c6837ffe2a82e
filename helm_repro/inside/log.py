"""Our own log lines, on standard error: one per event, as text or as JSON.

HELM's output passes through untouched between them.
"""

from __future__ import annotations

import datetime
import json
import os
import sys

_format = "text"


def use_format(log_format: str) -> None:
    """Choose ``text`` or ``json`` (LOG_FORMAT) for the lines that follow."""
    global _format
    _format = log_format


def say(event: str, message: str = "", **fields: object) -> None:
    """Write one line, in a single write so that lines of several processes do not mix."""
    if _format == "json":
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, "message": message, **fields}, default=str)
    else:
        pairs = " ".join(f"{name}={value}" for name, value in fields.items())
        line = "helm-repro: " + " ".join(part for part in (event, message, pairs) if part)
    sys.stderr.flush()
    os.write(2, (line.replace("\n", " ") + "\n").encode("utf-8", "backslashreplace"))
