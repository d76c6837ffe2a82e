"""Run entries from a conf, without HOCON's parser where the conf is JSON.

HELM's confs are HOCON, of which JSON is a part, and leaderboards are rendered as JSON. HELM's parser
(``read_run_entries``, helm/benchmark/presentation/run_entry.py) takes 1 ms per entry: more than
constructing the run spec.
"""

from __future__ import annotations

import json
from pathlib import Path

from helm_repro.inside.plan.entry import Entry


def read_entries(path: Path) -> list[Entry]:
    """Read as HELM does. Runs with HELM imported."""
    try:
        return [Entry(**entry) for entry in json.loads(path.read_bytes())["entries"]]
    except (ValueError, TypeError, KeyError):
        from helm.benchmark.presentation.run_entry import read_run_entries

        return [Entry(e.description, e.priority, e.groups) for e in read_run_entries([str(path)]).entries]
