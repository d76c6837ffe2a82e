"""One receipt for a suite that shards ran: ``receipt.json`` from ``receipt.shard-*-of-N.json``.

Invariant: a newer receipt of the whole suite (it was completed without shards) stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.files import write_json

FILE_NAME = "receipt.json"
_SHARD_FILE = re.compile(r"receipt\.shard-[0-9]+-of-([0-9]+)\.json")


def join_receipts(suite_path: Path, gaps: Sequence[str]) -> None:
    """Write the suite's receipt from those of its shards, if it was run in shards.

    Where the suite was divided several times, into different numbers of shards, the
    division that was worked on last counts. A shard that was killed has left no receipt;
    the runs it owes are in ``missing``.
    """
    by_count = defaultdict(list)
    for path in sorted(suite_path.iterdir()):
        if match := _SHARD_FILE.fullmatch(path.name):
            by_count[int(match[1])].append(read_receipt(path))
    if not by_count:
        return
    receipts = max(by_count.values(), key=lambda group: max(receipt["written"] for receipt in group))
    whole = suite_path / FILE_NAME
    newest = max(receipt["written"] for receipt in receipts)
    if whole.exists() and read_receipt(whole)["written"] > newest:
        return
    partial = dict.fromkeys(reason for receipt in receipts for reason in receipt["partial"])
    partial.update(dict.fromkeys(gaps))
    codes = {receipt["exit_code"] for receipt in receipts} | ({int(ExitCode.PARTIAL)} if gaps else set())
    record = {
        **receipts[0],
        "written": newest,
        "exit_code": int(ExitCode.OK if codes == {int(ExitCode.OK)} else ExitCode.PARTIAL),
        "shards": len(receipts),
        "plan_sha256": hashlib.sha256("".join(receipt["plan_sha256"] for receipt in receipts).encode()).hexdigest(),
        "complete": sum(receipt["complete"] for receipt in receipts),
        "planned": sum(receipt["planned"] for receipt in receipts),
        "partial": list(partial),
        "runs": [run for receipt in receipts for run in receipt["runs"]],
        "stages": [stage for receipt in receipts for stage in receipt["stages"]],
    }
    for variable in ("SHARD_INDEX", "SHARD_COUNT"):
        record["variables"] = {name: value for name, value in record["variables"].items() if name != variable}
    write_json(whole, record)


def read_receipt(path: Path) -> dict[str, Any]:
    """A receipt's record."""
    record: dict[str, Any] = json.loads(path.read_bytes())
    return record
