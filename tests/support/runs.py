"""A run's folder with the five files that HELM writes, whole and in agreement, with one instance."""

from __future__ import annotations

import json
from pathlib import Path


def write_run(path: Path, score: int = 1) -> None:
    """Write a complete run."""
    path.mkdir(parents=True)
    adapter = {"max_eval_instances": 10, "num_train_trials": 1}
    stat = {"name": {"name": "exact_match"}, "count": 1, "sum": score}
    request = {
        "instance": {"id": "id1"},
        "train_trial_index": 0,
        "request": {"max_tokens": 5},
        "result": {"completions": [{"text": "A", "tokens": [{}]}], "request_time": 1},
    }
    files = {
        "run_spec": {"name": path.name, "adapter_spec": adapter},
        "scenario": {},
        "scenario_state": {"adapter_spec": adapter, "request_states": [request]},
        "stats": [stat],
        "per_instance_stats": [{"instance_id": "id1", "stats": [stat]}],
    }
    for file, content in files.items():
        (path / f"{file}.json").write_text(json.dumps(content))
