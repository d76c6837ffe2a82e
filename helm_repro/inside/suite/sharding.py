"""Divides a plan among shards, and knows later which run is whose.

Invariants: every run of the plan belongs to exactly one shard; which one depends neither
on the order of the plan nor on when a shard starts; shards are balanced by estimated
requests. The unit is the run entry, because ``helm-run`` is given entries; entries that
share a run stay together, so two shards never write into one run's folder.

On a shared volume the first shard that has planned writes the division into the suite
and the others follow it: an entry that one shard cannot construct (its data would not
download just then) must not shift the others' parts. In separate folders each shard
computes the same division from the same plan.
"""

from __future__ import annotations

import dataclasses
import hashlib
import heapq
import json
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.suite.state import examine
from helm_repro.inside.system.files import write_json_once

DIVISION_FILES = "division-*.json"
_UNLIMITED_INSTANCES = 1000


def part_of(
    settings: Settings, plan: Mapping[str, Any], wanted: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The plan and the wanted runs of this shard alone; all of them if there is one shard.

    What failed, was left out or is unavailable is in the plan of shard 0, once for the suite.
    """
    shard = settings.shard
    if shard.is_whole:
        return dict(plan), dict(wanted)
    division = _agreed(settings, divide(plan, shard.count), whole=not plan["failed"])
    mine = {name for name, index in division.items() if index == shard.index}
    first = shard.index == 0
    lost = [
        {"entry": name, "reason": f"planned for {shard}, but its entry cannot be constructed here"}
        for name in sorted(mine - wanted.keys())
    ]
    part = {
        **plan,
        "run_specs": [s for s in plan["run_specs"] if s["name"] in mine or (first and s["name"] not in division)],
        "entries": [entry for entry in plan["entries"] if mine.intersection(entry["runs"])],
        "failed": [*(plan["failed"] if first else ()), *lost],
        "left_out": plan["left_out"] if first else [],
    }
    say("shard", f"{shard.index} of {shard.count}: {len(mine)} of {len(division)} runs")
    return part, {name: spec for name, spec in wanted.items() if name in mine}


def divide(plan: Mapping[str, Any], count: int) -> dict[str, int]:
    """Run name -> shard, by the longest-processing-time rule.

    At most 4/3 of the best possible longest shard (Graham, "Bounds on multiprocessing
    timing anomalies", 1969, https://doi.org/10.1137/0117039).
    """
    weights = {spec["name"]: weight(spec["run_spec"]) for spec in plan["run_specs"]}
    units = [(sum(weights[name] for name in unit), unit) for unit in _units(plan["entries"])]
    heap = [(0, index) for index in range(count)]
    division = {}
    # Units are sorted by name where weights are equal, so that ties do not depend on the plan's order.
    for load, unit in sorted(units, key=lambda pair: (-pair[0], pair[1])):
        total, index = heapq.heappop(heap)
        heapq.heappush(heap, (total + load, index))
        division.update(dict.fromkeys(unit, index))
    return division


def weight(run_spec: Mapping[str, Any]) -> int:
    """An estimate of the run's requests: instances x trials x outputs.

    The limit stands for the number of instances, which is known only once the data is there.
    """
    adapter = run_spec["adapter_spec"]
    product: int = adapter.get("max_eval_instances") or _UNLIMITED_INSTANCES
    for factor in ("num_train_trials", "num_trials", "num_outputs"):
        product *= max(1, adapter.get(factor) or 1)
    return product


@dataclasses.dataclass(frozen=True)
class Division:
    """How a suite's runs were divided.

    Attributes:
        runs: run name -> number of shards -> shard.
        missing: planned runs that are not complete.
    """

    runs: Mapping[str, Mapping[int, int]]
    missing: Sequence[str]

    def shard_of(self, name: str, count: int) -> int:
        """The shard of ``count`` that has the run; the rule without agreement if no division names it."""
        index = self.runs.get(name, {}).get(count)
        return zlib.crc32(name.encode()) % count if index is None else index


def division(suite_path: Path) -> Division:
    """What the divisions in a suite planned, and what of it is missing."""
    runs: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for path in sorted(suite_path.glob(DIVISION_FILES)):
        record = json.loads(path.read_bytes())
        for name, index in record["runs"].items():
            runs[name][record["shards"]] = index
    return Division(runs, [name for name in sorted(runs) if not examine(suite_path / name).complete])


def _units(entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Join entries that share a run; each unit is its sorted run names."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for entry in entries:
        names = [*entry["runs"], *entry["shared"]]
        for name in names:
            parent[root(name)] = root(names[0])
    units = defaultdict(list)
    for name in parent:
        units[root(name)].append(name)
    return [tuple(sorted(unit)) for unit in units.values()]


def _agreed(settings: Settings, mine: Mapping[str, int], whole: bool) -> dict[str, int]:
    """The division that the suite's first shard wrote; for runs it lacks, one that needs no agreement.

    Args:
        mine: the division of this shard's plan.
        whole: whether that plan names all runs of its models.
    """
    shard = settings.shard
    path = settings.suite_path / f"division-of-{shard.count}-{_request_digest(settings)}.json"
    record = {
        "shards": shard.count,
        "time": round(time.time(), 3),
        "models": list(settings.models),
        "whole": whole,
        "runs": mine,
    }
    write_json_once(path, record, own_name=f".{shard.name}.{path.name}")
    agreed: dict[str, int] = json.loads(path.read_bytes())["runs"]
    return {**{name: zlib.crc32(name.encode()) % shard.count for name in mine if name not in agreed}, **agreed}


def _request_digest(settings: Settings) -> str:
    """Stands for what was asked; the division of other models or limits is another one."""
    asked = [
        hashlib.sha256(settings.conf_path.read_bytes()).hexdigest(),
        sorted(settings.models),
        settings.priority,
        settings.max_eval_instances,
        settings.num_train_trials,
        settings.model_groups,
        settings.include_unavailable,
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]
