"""The record of what was handed to a cluster: ``<output>/jobs/<suite>.json``.

It is what ``status``, ``logs``, ``cancel`` and ``resume`` go by. Invariant: it holds no
secret. Of a variable that may be one only the name is kept, and whoever resumes must
have it in the environment again.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Protocol

from helm_repro.errors import ConfigurationError
from helm_repro.inside.system.files import write_json
from helm_repro.inside.variables import BY_NAME
from helm_repro.network import CERTIFICATES

SCHEMA_VERSION = 1
SUMMARIZE = "summarize"


@dataclasses.dataclass(frozen=True)
class Submission:
    """One suite on a cluster.

    Attributes:
        variables: variables of the entrypoint that are no secrets.
        secrets: names of the others.
        image: container image, or ``None`` for the local environment.
        gpu: the leaderboard's gpu flavour, and a GPU for each shard.
        options: options of the user's for the engine, passed on as they are.
        jobs: the engine's names of what it runs now: ``run`` and ``summarize``.
        earlier: what it ran before, for a suite that was resumed.
        submitted: time of the last submission, in UTC.
    """

    leaderboard: str
    engine: str
    suite: str
    shards: int
    variables: Mapping[str, str]
    secrets: Sequence[str]
    output: Path
    image: Optional[str] = None
    gpu: bool = False
    options: Sequence[str] = ()
    jobs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    earlier: Sequence[Mapping[str, str]] = ()
    submitted: str = ""

    @property
    def models(self) -> list[str]:
        """The models to evaluate (MODELS_TO_RUN)."""
        return self.variables.get("MODELS_TO_RUN", "").replace(",", " ").split()

    @property
    def folder(self) -> Path:
        """Scripts and logs of the jobs."""
        return self.output / "jobs" / self.suite

    @property
    def suite_path(self) -> Path:
        return self.output / "benchmark_output" / "runs" / self.suite

    def with_jobs(self, jobs: Mapping[str, str]) -> Submission:
        """The same after another submission."""
        earlier = [*self.earlier, self.jobs] if self.jobs else self.earlier
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return dataclasses.replace(self, jobs=dict(jobs), earlier=earlier, submitted=now)

    def write(self) -> None:
        """Keep the record."""
        path = record_path(self.output, self.suite)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self), "output": str(self.output)})


class Cluster(Protocol):
    """An engine that takes jobs and runs them later, elsewhere."""

    def submit(self, submission: Submission, secrets: Mapping[str, str], shards: Sequence[int]) -> dict[str, str]:
        """Hand over the given shards and a job that summarizes after them; return :attr:`Submission.jobs`."""

    def states(self, submission: Submission) -> dict[str, str]:
        """State of each shard's job (by ``"0"``, ``"1"``, …) and of ``summarize``; those that ended are left out."""

    def report(self, submission: Submission) -> dict[str, str]:
        """The same, and of those that ended what the engine still knows of them."""

    def elsewhere(self, submission: Submission) -> Optional[str]:
        """Where the suite lies, in words, if not in the output folder; ``None`` if there."""

    def cancel(self, submission: Submission) -> None:
        """End all jobs and return when none is left."""

    def logs(self, submission: Submission, part: str) -> Iterator[str]:
        """Lines of what a shard or ``summarize`` has written so far."""


def record_path(output: Path, suite: str) -> Path:
    """Where a suite's record is kept."""
    return output / "jobs" / f"{suite}.json"


def read_submission(output: Path, suite: str) -> Submission:
    """Read a suite's record.

    Raises:
        ConfigurationError: there is none, or another version wrote it.
    """
    path = record_path(output.absolute(), suite)
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        if record.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError("another version wrote it")
        return Submission(**{**record, "output": Path(record["output"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: no record of a submitted suite ({error})") from error


def split_secrets(
    variables: Mapping[str, str], data_variables: Collection[str] = ()
) -> tuple[dict[str, str], dict[str, str]]:
    """Variables that may be recorded and variables that may not: all that we do not know to be harmless.

    Args:
        data_variables: the leaderboard's, which name folders.
    """
    paths = {*CERTIFICATES, *data_variables}
    open_ = {
        name: value
        for name, value in variables.items()
        # An empty one says that it is to be none, which is no secret.
        if not value or (name in BY_NAME and not BY_NAME[name].secret) or name.endswith("_FILE") or name in paths
    }
    return open_, {name: value for name, value in variables.items() if name not in open_}


def secrets_again(submission: Submission, given: Mapping[str, str]) -> dict[str, str]:
    """The secrets of a submission among the variables that are given now, to hand it over once more.

    Raises:
        ConfigurationError: one is not set.
    """
    missing = [name for name in submission.secrets if not given.get(name)]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)}: must be set again, because secrets are not recorded")
    return {name: given[name] for name in submission.secrets}
