"""The catalogue's caveats that have a day: a warning before it, in force from it on."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any

_Caveat = Mapping[str, Any]


def today() -> datetime.date:
    """The day on which a caveat is or is not in force; tests choose another."""
    return datetime.date.today()


def in_force(caveat: _Caveat) -> bool:
    """Whether its day has come; one without a day always holds."""
    return not caveat.get("since") or datetime.date.fromisoformat(caveat["since"]) <= today()


def concerns(caveat: _Caveat, description: str) -> bool:
    """Whether it is about this run entry."""
    return not caveat["entries"] or any(re.search(pattern, description) for pattern in caveat["entries"])


def warnings(leaderboard: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[str]:
    """What planned runs will lose on a known day, or a service they have lost and may run without."""
    entries = {spec["entry"] for spec in plan["run_specs"] if spec["unavailable"] is None}
    for caveat in leaderboard.get("caveats", []):
        ends = caveat.get("since") and (caveat.get("skip") or caveat["kind"] == "needs-service")
        if ends and any(concerns(caveat, entry) for entry in entries):
            when = f"since {caveat['since']}" if in_force(caveat) else f"from {caveat['since']} on"
            yield f"{when}: {caveat['what']}: {caveat['reason']}"
