"""How sharding grows: times planning, and simulates shards on costs that were measured.

Usage: scale.py [--json | --docs] (--docs writes the table into docs/cluster.md)

Reads ``scale_costs.json`` (``scale_measure.py`` makes it). The division is the real one
(``helm_repro.inside.suite.sharding``); what a shard then does is simulated: it starts, runs its
part run by run, and all shards together keep within the API's limit of requests.
"""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from helm_repro.inside.suite.sharding import divide

COSTS = Path(__file__).with_name("scale_costs.json")
_PAGE = Path(__file__).parents[1] / "docs" / "cluster.md"
_BEGIN, _END = "<!-- begin scale -->\n", "<!-- end scale -->"

# Today: one model on a board of a hundred run specs, as one machine does it in hours.
TODAY_RUNS = 100
_INSTANCES = (50, 100, 200, 500, 1000)
_THREADS = 8
_SECONDS_PER_ANSWER = 1.0
# What large accounts get from hosted models: ten thousand requests a minute.
API_REQUESTS_PER_SECOND = 10_000 / 60
_DISK_BYTES_PER_SECOND = 200e6


@dataclasses.dataclass(frozen=True)
class Simulated:
    """Hours that each part would need, and what one plan and division take in seconds."""

    runs: int
    shards: int
    requests: int
    divide_seconds: float
    plan_seconds: float
    longest_shard_hours: float
    mean_shard_hours: float
    api_hours: float
    cache_hours: float
    disk_hours: float
    summarize_hours: float
    gigabytes: float

    @property
    def bottleneck(self) -> str:
        """What the whole waits for."""
        parts = {
            "shards": self.longest_shard_hours,
            "API quota": self.api_hours,
            "request cache": self.cache_hours,
            "shared disk": self.disk_hours,
            "summarize": self.summarize_hours,
        }
        return max(parts, key=lambda name: parts[name])


def simulate(runs: int, shards: int, costs: dict[str, Any], seed: int = 0) -> Simulated:
    """Divide ``runs`` run specs of mixed sizes and let ``shards`` shards work on them."""
    chance = random.Random(seed)
    plan = synthetic_plan(runs, chance)
    started = time.perf_counter()
    division = divide(plan, shards)
    divide_seconds = time.perf_counter() - started

    loads = [costs["start_seconds"] + runs * costs["plan_seconds_per_run"]] * shards
    requests = 0
    for spec in plan["run_specs"]:
        # The limit is what the division knows; the data sets themselves are often smaller.
        adapter = spec["run_spec"]["adapter_spec"]
        count = int(adapter["max_eval_instances"] * adapter["num_train_trials"] * chance.uniform(0.3, 1.0))
        requests += count
        waiting = count * _SECONDS_PER_ANSWER / _THREADS
        work = costs["seconds_per_run"] + count * costs["seconds_per_request"]
        loads[division[spec["name"]]] += waiting + work
    size = requests * costs["bytes_per_request"]
    per_request = costs["summarize_seconds_per_run"] / costs["requests_per_run_summarized"]
    return Simulated(
        runs=runs,
        shards=shards,
        requests=requests,
        divide_seconds=divide_seconds,
        plan_seconds=costs["start_seconds"] + runs * costs["plan_seconds_per_run"],
        longest_shard_hours=max(loads) / 3600,
        mean_shard_hours=sum(loads) / shards / 3600,
        api_hours=requests / API_REQUESTS_PER_SECOND / 3600,
        cache_hours=requests / costs["cache_writes_per_second"] / 3600,
        # Results are written once and read once by helm-summarize.
        disk_hours=2 * size / _DISK_BYTES_PER_SECOND / 3600,
        summarize_hours=(costs["summarize_seconds"] + requests * per_request) / 3600,
        gigabytes=size / 1e9,
    )


def synthetic_plan(runs: int, chance: random.Random) -> dict[str, Any]:
    """A plan of that many run specs; one in ten has three trials."""
    specs = []
    for number in range(runs):
        trials = 3 if chance.random() < 0.1 else 1
        adapter = {"max_eval_instances": chance.choice(_INSTANCES), "num_train_trials": trials, "num_outputs": 1}
        name = f"scenario_{number}:model=a_b"
        specs.append({"name": name, "run_spec": {"name": name, "adapter_spec": adapter}, "unavailable": None})
    entries = [{"conf": {}, "runs": [spec["name"]], "shared": []} for spec in specs]
    return {"run_specs": specs, "entries": entries, "failed": [], "left_out": []}


def cases() -> list[tuple[int, int]]:
    """Run specs and shards: today's work and its multiples, and what issue 8 asks for."""
    return [(TODAY_RUNS, 1), (10 * TODAY_RUNS, 16), (10_000, 64), (1000 * TODAY_RUNS, 256)]


def table(costs: dict[str, Any]) -> str:
    """The cases as the table of docs/cluster.md: hours that each part needs by itself."""
    lines = [
        "| runs | shards | requests | longest shard | API quota | cache | disk | summarize | results | waits for |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for runs, shards in cases():
        r = simulate(runs, shards, costs)
        hours = (r.longest_shard_hours, r.api_hours, r.cache_hours, r.disk_hours, r.summarize_hours)
        cells = [f"{r.runs:,}", str(r.shards), f"{r.requests:,}", *(f"{_short(one)} h" for one in hours)]
        lines.append(f"| {' | '.join([*cells, f'{_short(r.gigabytes)} GB', r.bottleneck])} |")
    return "\n".join(lines) + "\n"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def main() -> None:
    """Print the table, or everything as JSON."""
    costs = json.loads(COSTS.read_bytes())
    if "--json" in sys.argv:
        results = [simulate(runs, shards, costs) for runs, shards in cases()]
        print(json.dumps([{**dataclasses.asdict(r), "bottleneck": r.bottleneck} for r in results], indent=1))
    elif "--docs" in sys.argv:
        before, begin, rest = _PAGE.read_text(encoding="utf-8").partition(_BEGIN)
        _, end, after = rest.partition(_END)
        _PAGE.write_text(before + begin + table(costs) + end + after, encoding="utf-8")
    else:
        print(table(costs), end="")


if __name__ == "__main__":
    main()
