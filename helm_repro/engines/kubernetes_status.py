"""What the status of a Job says about its shards.

Sources: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/#JobStatus
(``completedIndexes`` and ``failedIndexes`` are texts such as ``1,3-5``) and
https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions.
"""

from __future__ import annotations

from typing import Any, Optional

# No pod of it exists now, and the Job goes on: it will be started, perhaps again.
_WAITING = "waiting"
# Its Job has ended without it: another shard's failure ends them all.
_STOPPED = "stopped"
_GONE = "no job"


def is_finished(job: Any) -> bool:
    """Whether the Job controller will start no pod of this Job any more."""
    return _end(job) is not None


def state(job: Optional[Any]) -> str:
    """State of a Job with one pod; ``None`` is one that does not exist."""
    if job is None:
        return _GONE
    return {"Complete": "succeeded", "Failed": "failed"}.get(_end(job) or "", _WAITING)


def shard_states(job: Optional[Any], count: int) -> dict[str, str]:
    """State of each index of an Indexed Job, by ``"0"``, ``"1"``, …."""
    rest = _GONE if job is None else _STOPPED if is_finished(job) else _WAITING
    found = {str(index): rest for index in range(count)}
    if job is not None and job.status is not None:
        found |= dict.fromkeys(_indexes(job.status.completed_indexes), "succeeded")
        found |= dict.fromkeys(_indexes(job.status.failed_indexes), "failed")
    return found


def _end(job: Any) -> Optional[str]:
    conditions = (job.status and job.status.conditions) or ()
    ends = [one.type for one in conditions if one.status == "True" and one.type in ("Complete", "Failed")]
    return ends[0] if ends else None


def _indexes(text: Optional[str]) -> list[str]:
    found: list[str] = []
    for interval in (text or "").split(","):
        first, _, last = interval.partition("-")
        if first:
            found += map(str, range(int(first), int(last or first) + 1))
    return found
