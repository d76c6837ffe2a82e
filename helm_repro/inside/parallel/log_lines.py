"""HELM's log lines without keys, and with a label before each.

HELM logs whole errors (``hexception`` in its clients, ``helm/proxy/retry.py``), and some
hold the key: in an address, or because a server repeats what it was sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable


def rewrite(redact: Callable[[str], str], label: str = "") -> None:
    """Change the lines of this process from now on.

    Args:
        redact: takes the keys out of a text.
        label: put before each line.
    """
    # The last resort serves where HELM has set up no logging.
    for handler in (*logging.getLogger("helm").handlers, logging.lastResort):
        if isinstance(handler, logging.StreamHandler):
            handler.setFormatter(_Rewritten(redact, label, handler.formatter or logging.Formatter()))


class _Rewritten(logging.Formatter):
    """Puts whole messages into one write."""

    def __init__(self, redact: Callable[[str], str], label: str, inner: logging.Formatter):
        super().__init__()
        self._redact = redact
        self._label = label
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        text = self._redact(self._inner.format(record))
        return "\n".join(self._label + line for line in text.splitlines())
