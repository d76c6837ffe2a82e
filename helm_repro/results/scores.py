"""The headline score of every run of a summarised suite, as HELM's tables define it.

The schema names a metric and a split for each run group (``environment.main_name`` and
``main_split``); the score is the mean of that statistic in the run's ``stats.json``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from helm_repro.errors import ConfigurationError


@dataclasses.dataclass(frozen=True)
class Score:
    """One run's headline score; ``value`` is ``None`` where HELM computed none."""

    run: str
    group: str
    model: str
    metric: str
    split: str
    value: Optional[float]
    instances: Optional[int]


def read_scores(suite_path: Path) -> list[Score]:
    """Scores of all runs in the suite, by run name.

    Raises:
        ConfigurationError: the suite was not summarised.
    """
    schema_path = suite_path / "schema.json"
    if not schema_path.is_file():
        raise ConfigurationError(f"{suite_path}: not a summarised suite; run the summarize stage first")
    groups = {group["name"]: group for group in json.loads(schema_path.read_bytes())["run_groups"]}
    return [
        score
        for run_path in sorted(path.parent for path in suite_path.glob("*/run_spec.json"))
        if (run_path / "stats.json").is_file()
        for score in _of_run(run_path, groups)
    ]


def _of_run(run_path: Path, groups: dict[str, Any]) -> Iterator[Score]:
    run_spec = json.loads((run_path / "run_spec.json").read_bytes())
    stats = json.loads((run_path / "stats.json").read_bytes())
    for name in run_spec["groups"]:
        variables = groups.get(name, {}).get("environment", {})
        if "main_name" not in variables:
            continue
        metric, split = variables["main_name"], variables.get("main_split", "test")
        value = _mean(stats, metric, split)
        instances = _mean(stats, "num_instances", split)
        yield Score(
            run=run_spec["name"],
            group=groups[name].get("display_name", name),
            model=run_spec["adapter_spec"]["model"],
            metric=metric,
            split=split,
            value=value,
            instances=None if instances is None else int(instances),
        )


def _mean(stats: list[dict[str, Any]], metric: str, split: str) -> Optional[float]:
    for stat in stats:
        name = stat["name"]
        if name["name"] == metric and name.get("split") == split and "perturbation" not in name:
            return stat.get("mean")
    return None
