"""Plans as ``helm_repro.inside.plan.make`` makes them, without HELM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def run_spec(name: str, instances: int) -> dict[str, Any]:
    return {"name": name, "adapter_spec": {"max_eval_instances": instances, "num_train_trials": 1, "num_outputs": 1}}


def make_plan(sizes: Mapping[str, int]) -> dict[str, Any]:
    """One entry and one run for each name, with that many instances."""
    return {
        "run_specs": [
            {"name": name, "entry": name, "run_spec": run_spec(name, size), "unavailable": None}
            for name, size in sizes.items()
        ],
        "entries": [{"conf": {"description": name}, "runs": [name], "shared": []} for name in sizes],
        "failed": [],
        "left_out": [],
        "unknown_models": [],
    }
