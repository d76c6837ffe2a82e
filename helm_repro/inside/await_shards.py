"""``await-shards``: wait until all shards of a suite on a shared volume have ended.

For schedulers that know no order between jobs (Kubernetes): the job that summarizes waits
here. A shard that works on the suite beats in its lock file (``suite_lock``); one that
waits to be started again after a failure does not, so silence must last before it counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.log import say
from helm_repro.inside.settings import Settings
from helm_repro.inside.shard import Shard, read_shard
from helm_repro.inside.sharding import division

# Longer than Kubernetes ever waits before it starts a failed pod again (6 minutes):
# https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
QUIET_SECONDS = 600
SECONDS_BETWEEN_LOOKS = 10


def run_await_shards(settings: Settings, as_json: bool = False, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """The ``await-shards`` command."""
    count = read_shard({"SHARD_INDEX": "0", "SHARD_COUNT": environ.get("SHARD_COUNT", "1")}).count
    await_shards(settings.suite_path, count)
    return ExitCode.OK


def await_shards(
    suite_path: Path,
    count: int,
    quiet_seconds: float = QUIET_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return once every planned run is complete, or every shard has begun and all are silent."""
    started = time.time()
    said = ""
    while state := _waiting_for(suite_path, count, started, quiet_seconds):
        if state != said:
            say("wait", state)
            said = state
        sleep(SECONDS_BETWEEN_LOOKS)
    say("wait", "over")


def _waiting_for(suite_path: Path, count: int, started: float, quiet_seconds: float) -> str:
    """What is awaited; "" if nothing is."""
    locks = [suite_path / f"{Shard(index, count).name or 'suite'}.lock" for index in range(count)]
    begun = [path for path in locks if path.exists()]
    if len(begun) < count:
        return f"{count - len(begun)} of {count} shards have not begun"
    # A lock file is emptied when its shard ends in order, so its time is the last sign of life in any case.
    last_sign = max(path.stat().st_mtime for path in begun)
    if time.time() - max(last_sign, started) >= quiet_seconds:
        return ""
    if any(path.stat().st_size for path in begun):
        return f"shards of {count} are at work"
    # Reading all results is dear, hence only when nobody works on them.
    found = division(suite_path)
    if found.runs and not found.missing:
        return ""
    return f"{len(found.missing)} of {len(found.runs)} planned runs are missing; a shard may be started again"
