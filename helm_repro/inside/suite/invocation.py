"""Which suite an invocation writes: its mark in the suite's journal.

With ``RESUME=new-suite`` the entrypoint chooses the suite's name. Whoever starts it gives
it a mark, and looks for that among the suites of such names. Times would not tell:
several invocations may write at once, each its own suite.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.suite.identity import numbered_names
from helm_repro.inside.suite.journal import Journal

VARIABLE = "HELM_REPRO_INVOCATION"


def mark(suite_path: Path, environ: Mapping[str, str]) -> None:
    """Begin the invocation's part of the suite's journal, if its starter wants to find it."""
    if environ.get(VARIABLE):
        Journal(suite_path).write("begin", invocation=environ[VARIABLE])


def events_since(suite_path: Path, invocation: str) -> Optional[list[dict[str, Any]]]:
    """What the journal says since the mark; ``None`` if the mark is not there."""
    events = Journal(suite_path).read_suite()
    for index, event in enumerate(events):
        if event.get("invocation") == invocation:
            return events[index + 1 :]
    return None


def suite_of(named: Path, invocation: str) -> Optional[Path]:
    """The suite that has the mark, of those that ``RESUME=new-suite`` may choose for ``named``."""
    for name in numbered_names(named.name):
        path = named.with_name(name)
        if not path.is_dir():
            return None
        # Asked for twice a second until the mark is there, and earlier suites' journals are long: none is parsed.
        if Journal(path).suite_has(invocation) and events_since(path, invocation) is not None:
            return path
    return None
