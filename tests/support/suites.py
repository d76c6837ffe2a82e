"""Two suites compared: equal but for when and how fast things happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULT_FILES = ("run_spec.json", "scenario.json", "scenario_state.json", "stats.json", "per_instance_stats.json")
# When an answer came, and whether it was looked up (which of two equal requests comes first is chance).
_TIMING_FIELDS = {"request_time", "request_datetime", "batch_request_time", "batch_size", "cached"}


def comparable(suite: Path) -> dict[str, dict[str, Any]]:
    """Run name -> file name -> content without timing, per-instance rows sorted."""
    runs = sorted(path.parent for path in suite.glob("*/run_spec.json"))
    return {run.name: {name: _normal(json.loads((run / name).read_bytes())) for name in RESULT_FILES} for run in runs}


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normal(item) for key, item in value.items() if key not in _TIMING_FIELDS}
    if not isinstance(value, list):
        return value
    items = [_normal(item) for item in value if not _is_runtime(item)]
    if items and all(isinstance(item, dict) and ("name" in item or "instance_id" in item) for item in items):
        # HELM's threads decide the order of statistics within these lists.
        items.sort(key=lambda item: json.dumps(item, sort_keys=True))
    return items


def _is_runtime(item: Any) -> bool:
    name = item.get("name") if isinstance(item, dict) else None
    return isinstance(name, dict) and "runtime" in str(name.get("name"))
