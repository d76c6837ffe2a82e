"""Compares two suites of results apart from timing.

What a run took and when it ran differs between any two runs of the same thing; the
rest must not. Set aside: ``request_time``, ``request_datetime``, ``cached`` (an answer
that is found in HELM's cache after a restart is the same answer), batch sizes and times,
and every statistic of runtime. Rows are sorted, because threads finish in any order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from helm_repro.inside.suite.state import RUN_FILES

_TIMING_FIELD = re.compile(r"request_time|request_datetime|cached|batch_.*")
_TIMING_STAT = re.compile(r"batch_.*|.*runtime.*")


def differences(expected: Path, found: Path) -> list[str]:
    """One line for each run that only one suite has and for each file of a run that differs."""
    runs = [{path.parent.name for path in suite.glob("*/run_spec.json")} for suite in (expected, found)]
    if not runs[0]:
        return [f"{expected}: has no run"]
    lines = [f"{name}: only in {expected}" for name in sorted(runs[0] - runs[1])]
    lines += [f"{name}: only in {found}" for name in sorted(runs[1] - runs[0])]
    for name in sorted(runs[0] & runs[1]):
        lines += [f"{name}/{line}" for line in run_differences(expected / name, found / name)]
    return lines


def run_differences(expected: Path, found: Path) -> Iterator[str]:
    """The first difference in each file of two folders of one run."""
    for file in RUN_FILES:
        for line in _first_difference(without_timing(expected / file), without_timing(found / file)):
            yield f"{file}: {line}"


def without_timing(path: Path) -> Any:
    """The file's content without what depends on time, rows in a fixed order."""
    content = _strip(json.loads(path.read_bytes()))
    if path.name == "scenario_state.json":
        content["request_states"] = _sorted(content["request_states"])
    elif isinstance(content, list):
        content = _sorted(content)
    return content


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if not _TIMING_FIELD.fullmatch(key)}
    if isinstance(value, list):
        return [_strip(item) for item in value if not _is_timing_stat(item)]
    return value


def _is_timing_stat(item: Any) -> bool:
    name = item.get("name") if isinstance(item, dict) else None
    return isinstance(name, dict) and _TIMING_STAT.fullmatch(str(name.get("name"))) is not None


def _sorted(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def _first_difference(first: Any, second: Any, where: str = "") -> Iterator[str]:
    if first == second:
        return
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys()):
            if first.get(key) != second.get(key):
                yield from _first_difference(first.get(key), second.get(key), f"{where}.{key}")
                return
    if isinstance(first, list) and isinstance(second, list):
        for index, (one, other) in enumerate(zip_longest(first, second)):
            if one != other:
                yield from _first_difference(one, other, f"{where}[{index}]")
                return
    yield f"at {where or 'the top'}: {json.dumps(first)[:200]} is not {json.dumps(second)[:200]}"
