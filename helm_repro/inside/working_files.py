"""Files that run specs name by a path inside HELM's repository, put where that path leads. Runs with HELM imported.

HELM opens such a path from the directory it was started in, which is no checkout here
(GrammarScenario, helm/benchmark/scenarios/grammar_scenario.py). Its wheel has the file.
"""

from __future__ import annotations

import contextlib
import importlib.resources
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from helm_repro.inside.files import replacing

_PACKAGE = "src/helm/"


def provide(run_specs: Iterable[Mapping[str, Any]], directory: Path) -> None:
    """Copy what scenarios of these run specs name and ``directory`` has not; a file that is there stays."""
    arguments = [value for spec in run_specs for value in (spec["scenario_spec"].get("args") or {}).values()]
    for name in {value for value in arguments if isinstance(value, str) and value.startswith(_PACKAGE)}:
        target, packaged = directory / name, importlib.resources.files("helm") / name.removeprefix(_PACKAGE)
        # Where it cannot be written, HELM says what it lacks when it makes the run's instances, which costs nothing.
        with contextlib.suppress(OSError):
            if packaged.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as temporary:
                    temporary.write_bytes(packaged.read_bytes())
