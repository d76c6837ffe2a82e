"""The headline score of every run of a summarised suite, as HELM's tables define it.

The schema names a metric and a split for each run group (``environment.main_name`` and
``main_split``); the score is the mean of that statistic in the run's ``stats.json``, over sub-splits.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from helm_repro.errors import ConfigurationError
from helm_repro.results.statistics import headlines, instances, total


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
    schema = json.loads(schema_path.read_bytes())
    return [
        score
        for run_path in sorted(path.parent for path in suite_path.glob("*/run_spec.json"))
        if (run_path / "stats.json").is_file()
        for score in _of_run(run_path, schema)
    ]


def _of_run(run_path: Path, schema: Mapping[str, Any]) -> Iterator[Score]:
    run_spec = json.loads((run_path / "run_spec.json").read_bytes())
    stats = json.loads((run_path / "stats.json").read_bytes())
    for headline in headlines(schema, run_spec["groups"]):
        found = total(stats, headline)
        yield Score(
            run=run_spec["name"],
            group=headline.title,
            model=run_spec["adapter_spec"]["model"],
            metric=headline.metric,
            split=headline.split,
            value=found.mean if found else None,
            instances=instances(stats, headline),
        )
