"""The plan of a suite, kept in it: a suite that is started again need not ask HELM again.

A plan is a function of what :func:`digest` covers, so one with the same digest is the
same plan. One in which an entry could not be constructed is never kept: its data may be
there next time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.deployments.registration import DEPLOYMENTS, METADATA, TOKENIZERS
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.plan.caveats import in_force
from helm_repro.inside.system.files import write_json

FILE_NAME = "plan.json"


def digest(settings: Settings, arguments: Mapping[str, Any]) -> str:
    """Stands for all that a plan depends on.

    Args:
        arguments: what ``plan.make_plan`` is called with; its paths count with what they hold.
    """
    caveats = settings.board.leaderboard.get("caveats", [])
    own_copies = [caveat["own_copy"] for caveat in caveats if caveat.get("own_copy")]
    parts = {
        "arguments": arguments,
        "conf": _sha256(settings.conf_path),
        "registered": [_sha256(settings.local_path / name) for name in (DEPLOYMENTS, METADATA, TOKENIZERS)],
        "in_force": [caveat["what"] for caveat in caveats if caveat.get("since") and in_force(caveat)],
        "own_copies": [name for name in own_copies if (settings.output_path / name).exists()],
        "helm": [settings.board.environment["helm_version"], settings.board.digests["lock"]],
        "code": [_sha256(path) for path in sorted(Path(__file__).parents[1].rglob("*.py"))],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def read(suite_path: Path, key: str) -> Optional[dict[str, Any]]:
    """The plan that was kept under this digest, if it was the last."""
    try:
        record = json.loads((suite_path / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return record["plan"] if record.get("digest") == key else None


def keep(suite_path: Path, key: str, plan: Mapping[str, Any]) -> None:
    """Keep a plan for the next start, if it is one to rely on."""
    if not plan["failed"]:
        write_json(suite_path / FILE_NAME, {"digest": key, "plan": plan})


def _sha256(path: Path) -> Optional[str]:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
