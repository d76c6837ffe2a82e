"""Which part of the work this process has: shard ``index`` of ``count``, counted from 0.

SHARD_INDEX and SHARD_COUNT say it; an array job's own variables say it as well, so that
one command serves every task of the array. Invariant: what is ambiguous is an error, for
a wrong index would run some runs twice and others never.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Optional

from helm_repro.inside.errors import VariableError

_MOST = 100_000


@dataclasses.dataclass(frozen=True)
class Shard:
    """One part of ``count``; the whole is shard 0 of 1."""

    index: int = 0
    count: int = 1

    @property
    def is_whole(self) -> bool:
        return self.count == 1

    @property
    def name(self) -> str:
        """As in names of files, "" for the whole: every shard writes files of its own into a shared suite."""
        return "" if self.is_whole else f"shard-{self.index}-of-{self.count}"

    def file_name(self, name: str) -> str:
        """``journal.jsonl`` becomes ``journal.shard-2-of-4.jsonl``; unchanged for the whole."""
        stem, dot, extension = name.rpartition(".")
        return name if self.is_whole else f"{stem}.{self.name}{dot}{extension}"

    def __str__(self) -> str:
        return f"shard {self.index} of {self.count}"


WHOLE = Shard()


@dataclasses.dataclass(frozen=True)
class _ArrayJob:
    """Where a scheduler puts a task's index, the number of tasks, the first index and the distance of two."""

    index: str
    count: Optional[str] = None
    first: Optional[str] = None
    step: Optional[str] = None


# https://slurm.schedmd.com/job_array.html#env_vars
# https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
# https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode (gives no number of tasks)
_ARRAY_JOBS = (
    _ArrayJob("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"),
    _ArrayJob("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
    _ArrayJob("JOB_COMPLETION_INDEX"),
)


def read_shard(environ: Mapping[str, str]) -> Shard:
    """The shard that the environment names; the whole if it names none.

    Raises:
        VariableError: a number is wrong, one of the two is missing, or they contradict the array job's.
    """
    count = _number(environ, "SHARD_COUNT", least=1)
    index = _number(environ, "SHARD_INDEX", least=0)
    if index is not None:
        if count is None:
            raise VariableError("SHARD_COUNT", "", f"must be set, because SHARD_INDEX={index} is")
        return _checked(index, count, "SHARD_INDEX")
    if count == 1:
        return WHOLE
    for job in _ARRAY_JOBS:
        if (index := _number(environ, job.index, least=0)) is not None:
            return _of_array(environ, job, index, count)
    if count is not None:
        raise VariableError("SHARD_INDEX", "", f"must be set, from 0 to {count - 1}, because SHARD_COUNT={count} is")
    return WHOLE


def _of_array(environ: Mapping[str, str], job: _ArrayJob, index: int, count: Optional[int]) -> Shard:
    tasks = _number(environ, job.count, least=1)
    if count is None and tasks is None:
        raise VariableError("SHARD_COUNT", "", f"must be set (1: no shards), because {job.index}={index} is")
    # Part of an array that is submitted again looks like a smaller array with another first index.
    if count is not None and tasks is not None and tasks != count:
        raise VariableError("SHARD_COUNT", count, f"{job.count} is {tasks}; set SHARD_INDEX as well")
    first, step = _number(environ, job.first, least=0) or 0, _number(environ, job.step, least=1) or 1
    steps, rest = divmod(index - first, step)
    if rest:
        raise VariableError(job.index, index, f"is not {job.first} plus a multiple of {job.step}; set SHARD_INDEX")
    return _checked(steps, count or tasks or 1, job.index)


def _checked(index: int, count: int, name: str) -> Shard:
    if not 0 <= index < count:
        raise VariableError(name, index, f"must be a whole number from 0 to {count - 1}, as there are {count} shards")
    return Shard(index, count)


def _number(environ: Mapping[str, str], name: Optional[str], least: int) -> Optional[int]:
    value = environ.get(name, "").strip() if name else ""
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and least <= int(value) <= _MOST):
        raise VariableError(str(name), value, f"must be a whole number from {least} to {_MOST}")
    return int(value)
