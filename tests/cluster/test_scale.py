"""Dividing stays linear and balanced at a hundred times today's work."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import scale
from helm_repro.inside.suite.sharding import divide
from tests.conftest import ROOT


def _lines_to_divide(runs: int) -> int:
    """Lines of Python that are executed: a cost that does not depend on the machine."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    plan = scale.synthetic_plan(runs, random.Random(1))
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        divide(plan, 64)
    finally:
        sys.settrace(before)
    return count


def test_dividing_grows_as_the_runs_do() -> None:
    small, large = _lines_to_divide(2_000), _lines_to_divide(20_000)
    assert 5 * small < large < 11 * small


def test_sixty_four_shards_of_ten_thousand_runs_are_balanced() -> None:
    costs = json.loads((ROOT / "benchmarks/scale_costs.json").read_bytes())
    simulated = scale.simulate(10_000, 64, costs)
    # Sizes are estimated from limits, so shards end at somewhat different times.
    assert simulated.longest_shard_hours < 1.15 * simulated.mean_shard_hours
    # HELM constructs each run spec; every shard waits for that once.
    assert simulated.plan_seconds < 0.02 * simulated.longest_shard_hours * 3600


def test_the_page_shows_what_the_simulation_gives() -> None:
    page = Path(ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    table = page.partition("<!-- begin scale -->\n")[2].partition("<!-- end scale -->")[0]
    assert table == scale.table(json.loads(scale.COSTS.read_bytes()))
