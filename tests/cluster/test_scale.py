"""Dividing stays linear and within seconds, and balanced, at a hundred times today's work."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

from benchmarks import scale
from helm_repro.inside.sharding import divide
from tests.conftest import ROOT


def _seconds_to_divide(runs: int) -> float:
    plan = scale.synthetic_plan(runs, random.Random(1))
    best = 1e9
    for _ in range(3):
        started = time.process_time()
        divide(plan, 64)
        best = min(best, time.process_time() - started)
    return best


def test_ten_thousand_runs_are_divided_within_a_second_and_linearly() -> None:
    small, large = _seconds_to_divide(10_000), _seconds_to_divide(40_000)
    assert small < 1
    assert large < 8 * small


def test_sixty_four_shards_of_ten_thousand_runs_are_balanced() -> None:
    costs = json.loads((ROOT / "benchmarks/scale_costs.json").read_bytes())
    simulated = scale.simulate(10_000, 64, costs)
    # Sizes are estimated from limits, so shards end at somewhat different times.
    assert simulated.longest_shard_hours < 1.15 * simulated.mean_shard_hours
    assert simulated.divide_seconds < 5
    # HELM constructs each run spec; every shard waits for that once.
    assert simulated.plan_seconds < 0.02 * simulated.longest_shard_hours * 3600


def test_the_page_shows_what_the_simulation_gives() -> None:
    page = Path(ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    table = page.partition("<!-- begin scale -->\n")[2].partition("<!-- end scale -->")[0]
    assert table == scale.table(json.loads(scale.COSTS.read_bytes()))
