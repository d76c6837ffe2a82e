"""One receipt for a suite that shards ran: ``receipt.json`` from ``receipt.shard-*-of-N.json``.

A receipt is of the models of one invocation, and a suite's models may be run one after the
other. A shard's receipt of other models is kept beside the new one, under a name with a
digest of its models, and the receipts of all models are joined.

Invariant: a newer receipt of the whole suite (it was completed without shards) stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.system.files import write_json

FILE_NAME = "receipt.json"
_SHARD_FILE = re.compile(r"receipt\.(?P<shard>shard-[0-9]+-of-(?P<count>[0-9]+))(\.[0-9a-f]+)?\.json")

# Receipts of shards, by shard.
_Group = dict[str, dict[str, Any]]


def keep_other_models(path: Path, models: Sequence[str]) -> None:
    """Before a shard's receipt is written: keep the one that is there if it is of other models."""
    if path.exists() and sorted((there := read_receipt(path))["models"]) != sorted(models):
        path.rename(name_of_models(path, there))


def name_of_models(path: Path, receipt: dict[str, Any]) -> Path:
    """The name under which a shard's receipt stays when the shard is given other models."""
    digest = hashlib.sha256(json.dumps(sorted(receipt["models"])).encode()).hexdigest()[:12]
    return path.with_name(f"{path.name.removesuffix('.json')}.{digest}.json")


def join_receipts(suite_path: Path, gaps: Sequence[str]) -> None:
    """Write the suite's receipt from those of its shards, if it was run in shards.

    A shard that was killed has left no receipt; the runs it owes are among the gaps.

    Args:
        gaps: why the suite is partial, beside what the receipts say.
    """
    groups = _in_force(_groups(suite_path))
    receipts = [receipt for group in groups for receipt in group.values()]
    if not receipts:
        return
    whole = suite_path / FILE_NAME
    newest = max(receipt["written"] for receipt in receipts)
    if whole.exists() and read_receipt(whole)["written"] > newest:
        return
    partial = _union(receipts, "partial") | dict.fromkeys(gaps)
    codes = {receipt["exit_code"] for receipt in receipts} | ({int(ExitCode.PARTIAL)} if gaps else set())
    # Where groups overlap in a model, the newer one's record of a run counts.
    runs = {run["name"]: run for receipt in receipts for run in receipt["runs"]}
    counted_twice = sum(len(receipt["runs"]) for receipt in receipts) - len(runs)
    models = list(_union(receipts, "models"))
    # A shard's receipt has the stages of all its invocations.
    last_of_shards = {shard: receipt for group in groups for shard, receipt in group.items()}
    record = {
        **next(iter(groups[-1].values())),
        "written": newest,
        "exit_code": int(ExitCode.OK if codes == {int(ExitCode.OK)} else ExitCode.PARTIAL),
        "shards": len(receipts),
        "credentials": sorted(_union(receipts, "credentials")),
        "models": models,
        "own_models": {name: fact for receipt in receipts for name, fact in receipt.get("own_models", {}).items()},
        "plan_sha256": hashlib.sha256("".join(receipt["plan_sha256"] for receipt in receipts).encode()).hexdigest(),
        "complete": sum(run["status"] == "complete" for run in runs.values()),
        "planned": sum(receipt["planned"] for receipt in receipts) - counted_twice,
        "partial": list(partial),
        "runs": list(runs.values()),
        "stages": [stage for receipt in last_of_shards.values() for stage in receipt["stages"]],
    }
    variables = {**record["variables"], "MODELS_TO_RUN": " ".join(models)}
    record["variables"] = {n: v for n, v in variables.items() if n not in ("SHARD_INDEX", "SHARD_COUNT")}
    write_json(whole, record)


def _groups(suite_path: Path) -> list[_Group]:
    """The receipts of each number of shards and each choice of models, the group that was worked on last at the end."""
    found: defaultdict[tuple[str, frozenset[str]], _Group] = defaultdict(dict)
    for path in sorted(suite_path.iterdir()):
        if match := _SHARD_FILE.fullmatch(path.name):
            receipt = read_receipt(path)
            group = found[match["count"], frozenset(receipt["models"])]
            there = group.get(match["shard"])
            if there is None or there["written"] <= receipt["written"]:
                group[match["shard"]] = receipt
    return sorted(found.values(), key=lambda group: max(receipt["written"] for receipt in group.values()))


def _in_force(groups: Sequence[_Group]) -> list[_Group]:
    """The groups that no later ones make obsolete: a model divided anew is in the later group, all of it."""
    covered: set[str] = set()
    kept = []
    for group in reversed(groups):
        models = _union(group.values(), "models").keys()
        if not models <= covered:
            kept.append(group)
        covered |= models
    return kept[::-1]


def _union(receipts: Iterable[dict[str, Any]], field: str) -> dict[str, None]:
    """Each item of the lists in this field, once and in order."""
    return dict.fromkeys(item for receipt in receipts for item in receipt[field])


def read_receipt(path: Path) -> dict[str, Any]:
    """A receipt's record."""
    record: dict[str, Any] = json.loads(path.read_bytes())
    return record
