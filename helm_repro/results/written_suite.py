"""The suite that an invocation of the entrypoint writes, seen from where it was started."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.inputs.settings import NEW_SUITE
from helm_repro.inside.suite import invocation
from helm_repro.inside.suite.journal import Journal
from helm_repro.inside.variables import BY_NAME


class WrittenSuite:
    """One invocation's suite: the one that is named, or with ``RESUME=new-suite`` what the entrypoint chooses.

    Attributes:
        named: the folder of the suite that the variables name.
        variables: to be given to the entrypoint beside the user's.
    """

    def __init__(self, output: Path, variables: Mapping[str, str], stages: Collection[str]):
        name = variables.get("SUITE_NAME", "").strip() or str(BY_NAME["SUITE_NAME"].default)
        self.named = output / "benchmark_output" / "runs" / name
        chosen_inside = "run" in stages and variables.get("RESUME", "").strip() == NEW_SUITE
        self._mark = uuid.uuid4().hex if chosen_inside else None
        self.variables = {invocation.VARIABLE: self._mark} if self._mark else {}
        self._path = None if chosen_inside else self.named
        self._events_before = len(Journal(self.named).read_suite())

    @property
    def path(self) -> Optional[Path]:
        """Its folder; ``None`` until the entrypoint has begun to write it."""
        if self._path is None and self._mark:
            self._path = invocation.suite_of(self.named, self._mark)
        return self._path

    def events(self) -> list[dict[str, Any]]:
        """What its journals say of this invocation so far."""
        if self.path is None:
            return []
        if self._mark:
            return invocation.events_since(self.path, self._mark) or []
        return Journal(self.path).read_suite()[self._events_before :]
