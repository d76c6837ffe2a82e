"""``await-shards``: wait until all shards of a suite on a shared volume have ended.

For schedulers that know no order between jobs (Kubernetes): the job that summarizes waits
here. A shard that works on the suite beats in its lock file (``suite_lock``); one that
waits to be started again after a failure does not, so silence must last before it counts.

What the wait can end with, so that it always ends:

* every shard has begun, none is at work, every model asked for has a plan and no planned run is missing;
* some shard has begun, and nothing in the suite has given a sign of life for
  ``QUIET_SECONDS``: those that have not begun may never (the scheduler has given them up), and
  nobody can tell that from the volume. While one shard works, the others may wait for its GPU;
* no shard has begun for ``QUEUE_SECONDS``: the cluster's queue, which may take days.

A lock file that is older than the submission is a trace of an earlier one: that shard has not begun.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.inputs.shard import Shard, read_shard
from helm_repro.inside.log import say
from helm_repro.inside.suite.gaps import find_gaps

# Longer than Kubernetes ever waits before it starts a failed pod again (6 minutes):
# https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
QUIET_SECONDS = 600
QUEUE_SECONDS = 7 * 24 * 3600
SECONDS_BETWEEN_LOOKS = 10
# When the shards were submitted, in seconds since the epoch. Not when the wait began: by then some shards may
# have ended. Without it every lock file counts.
SUBMITTED_VARIABLE = "HELM_REPRO_SUBMITTED"


def run_await_shards(settings: Settings, as_json: bool = False, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """The ``await-shards`` command."""
    count = read_shard({"SHARD_INDEX": "0", "SHARD_COUNT": environ.get("SHARD_COUNT", "1")}).count
    await_shards(settings.suite_path, count, float(environ.get(SUBMITTED_VARIABLE) or 0), settings.models)
    return ExitCode.OK


def await_shards(
    suite_path: Path,
    count: int,
    submitted: float = 0,
    models: Collection[str] = (),
    quiet_seconds: float = QUIET_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return once every model asked for is planned and every planned run complete, or nothing is left to wait for."""
    started = time.time()
    said = ""
    while state := _waiting_for(suite_path, count, started, quiet_seconds, submitted, models):
        if state != said:
            say("wait", state)
            said = state
        sleep(SECONDS_BETWEEN_LOOKS)
    say("wait", "over")


def _waiting_for(
    suite_path: Path,
    count: int,
    started: float,
    quiet_seconds: float,
    submitted: float = 0,
    models: Collection[str] = (),
) -> str:
    """What is awaited; "" if nothing is."""
    locks = [suite_path / f"{Shard(index, count).name or 'suite'}.lock" for index in range(count)]
    begun = [path for path in locks if path.exists() and path.stat().st_mtime >= submitted]
    waited = time.time() - started
    if not begun:
        return f"none of {count} shards has begun" if waited < QUEUE_SECONDS else ""
    if min(waited, time.time() - _last_sign(suite_path, begun)) >= quiet_seconds:
        return ""
    if len(begun) < count:
        return f"{count - len(begun)} of {count} shards have not begun"
    if any(path.stat().st_size for path in begun):
        return f"shards of {count} are at work"
    # Reading all results is dear, hence only when nobody works on them.
    gaps = find_gaps(suite_path, models)
    # Shards may end before their plan is recorded (the hub fails), beside another model that is complete. A model
    # that only an earlier submission asked for is nothing that these shards will plan.
    if gaps.planned and not gaps.missing and not set(models) & set(gaps.models):
        return ""
    return "; ".join([*(gaps.reasons or ["nothing is planned"]), "a shard may be started again"])


def _last_sign(suite_path: Path, locks: Sequence[Path]) -> float:
    """When a shard last wrote into its lock file, which it empties at its end, or into its journal.

    Some shared file systems show what is written into an open file only once it is closed: there the
    heartbeat is not seen, but each event in the journal is.
    """
    return max(path.stat().st_mtime for path in (*locks, *suite_path.glob("journal*.jsonl")))
