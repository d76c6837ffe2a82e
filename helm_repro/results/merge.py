"""Joins suites that shards made in separate folders.

Invariants: parts that were not made alike are refused with the field that differs;
a run that is there already is never overwritten: where two parts hold the same run, the
files must be equal but for timing; nothing is written before everything is checked.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helm_repro.errors import ConfigurationError
from helm_repro.inside.suite.gaps import find_gaps, mark
from helm_repro.inside.suite.identity import FILE_NAME as IDENTITY_FILE
from helm_repro.inside.suite.identity import differences, read
from helm_repro.inside.suite.shard_receipts import name_of_models, read_receipt
from helm_repro.inside.suite.sharding import DIVISION_FILES
from helm_repro.inside.suite.state import examine, set_aside_incomplete
from helm_repro.inside.system.files import write_json
from helm_repro.results.merge_models import files_left, join_models, register_joined
from helm_repro.results.same_results import run_differences

# Files that each shard writes for itself; those of the whole are made anew.
_OWN_FILES = ("failures*.json", "run_entries*.conf")


@dataclasses.dataclass(frozen=True)
class Merged:
    """What a merge did: names of runs copied, already there, and still missing of what was planned.

    Attributes:
        files_left: the user's own registration files that the target lacks.
    """

    copied: Sequence[str]
    present: Sequence[str]
    missing: Sequence[str]
    files_left: Sequence[Path]


def merge(parts: Sequence[Path], target: Path) -> Merged:
    """Copy the runs of ``parts`` (suite folders) into the suite folder ``target``, which may exist.

    Raises:
        ConfigurationError: a part is no suite, two were not made alike, reached a model in different ways, or
            hold different results of one run.
    """
    identities = [(path, _identity(path)) for path in parts]
    if (target / IDENTITY_FILE).exists():
        identities.insert(0, (target, _identity(target)))
    (first, record), *others = identities
    for path, other in others:
        for field, one, two in differences(record["identity"], other["identity"]):
            raise ConfigurationError(f"{path}: {field} is {two}, but {one} in {first}")
    models = sorted({model for _, other in identities for model in other["models"]})
    own_models = join_models((target, *parts), models)
    chosen, present = _choose(parts, target)
    divisions = _divisions(parts, target)

    target.mkdir(parents=True, exist_ok=True)
    # Before any run is here that was asked there.
    register_joined(own_models, target)
    forced = [entry for _, other in identities for entry in other["forced"]]
    write_json(target / IDENTITY_FILE, {**record, "models": models, "forced": forced})
    for name, source in divisions.items():
        shutil.copyfile(source, target / name)
    for part in parts:
        for path in (path for pattern in _OWN_FILES for path in part.glob(pattern)):
            if not (target / path.name).exists():
                shutil.copyfile(path, target / path.name)
        for path in part.glob("receipt.shard-*.json"):
            _add_receipt(path, target)
        for path in part.glob("journal*.jsonl"):
            _add_lines(path, target / path.name)
    for name, source in chosen.items():
        _copy_run(source, target / name)

    gaps = find_gaps(target)
    mark(target, gaps)
    return Merged(sorted(chosen), sorted(present), gaps.missing, files_left(parts, target))


def _identity(suite: Path) -> dict[str, Any]:
    record = read(suite / IDENTITY_FILE)
    if record is None:
        raise ConfigurationError(f"{suite}: not a suite that can be merged (no {IDENTITY_FILE})")
    return record


def _choose(parts: Sequence[Path], target: Path) -> tuple[dict[str, Path], list[str]]:
    """Complete runs to copy, by name, and those that the target has."""
    chosen: dict[str, Path] = {}
    present = []
    for part in parts:
        for path in sorted(run.parent for run in part.glob("*/run_spec.json")):
            if not examine(path).complete:
                continue
            there = target / path.name if examine(target / path.name).complete else chosen.get(path.name)
            if there is None:
                chosen[path.name] = path
                continue
            for line in run_differences(there, path):
                raise ConfigurationError(f"{path}: differs from {there}: {line}")
            if there.parent == target:
                present.append(path.name)
    return chosen, present


def _divisions(parts: Sequence[Path], target: Path) -> dict[str, Path]:
    """Division files by name; the shards of separate folders must have divided the same plan."""
    found: dict[str, Path] = {}
    for suite in (target, *parts):
        for path in suite.glob(DIVISION_FILES):
            # Where a shard could not construct an entry, the plan of the others is the fuller one.
            if path.name not in found or _runs(path) > _runs(found[path.name]):
                found[path.name] = path
    return {name: path for name, path in found.items() if path.parent != target}


def _runs(path: Path) -> int:
    return len(json.loads(path.read_bytes())["runs"])


def _add_receipt(path: Path, target: Path) -> None:
    """Add a shard's receipt; a newer one of the same models stays, and so does one of other models."""
    receipt, there = read_receipt(path), target / path.name
    if there.exists() and sorted(read_receipt(there)["models"]) != sorted(receipt["models"]):
        there = name_of_models(there, receipt)
    if not there.exists() or read_receipt(there)["written"] < receipt["written"]:
        shutil.copyfile(path, there)


def _add_lines(source: Path, target: Path) -> None:
    """Add what a journal has and another of its name lacks: the parts of two models have equal names."""
    journals = [path.read_text(encoding="utf-8") for path in (target, source) if path.exists()]
    lines = dict.fromkeys(line for journal in journals for line in journal.splitlines())
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _copy_run(source: Path, run: Path) -> None:
    """Copy a run's folder so that it appears whole or not at all; hard links where both are on one disk."""
    with tempfile.TemporaryDirectory(dir=run.parent, prefix=".merge-") as temporary:
        copy = Path(temporary, run.name)
        try:
            shutil.copytree(source, copy, copy_function=os.link)
        except (OSError, shutil.Error):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
        # What there is of a run that is not complete gives way, but is not lost.
        set_aside_incomplete(run.parent, [examine(run)])
        if run.exists():
            run.rmdir()
        copy.rename(run)
