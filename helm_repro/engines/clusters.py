"""The engines that take jobs, by name, and what is common to handing a suite to them."""

from __future__ import annotations

from collections.abc import Sequence

from helm_repro.catalogue import Catalogue
from helm_repro.engines.submission import SUMMARIZE, Cluster, Submission
from helm_repro.errors import ConfigurationError
from helm_repro.inside.shard import Shard
from helm_repro.inside.shard_receipts import FILE_NAME, read_receipt
from helm_repro.inside.sharding import Division, division

NAMES = ("slurm", "kubernetes")


def cluster_of(submission: Submission, catalogue: Catalogue) -> Cluster:
    """The engine that a submission names.

    Raises:
        EngineError: it cannot be used here.
    """
    if submission.engine == "slurm":
        from helm_repro.engines.slurm import SlurmEngine

        board = catalogue.leaderboard(submission.leaderboard)
        return SlurmEngine(catalogue, catalogue.gpu_flavour(board) if submission.gpu else board)
    from helm_repro.engines.kubernetes import KubernetesEngine

    return KubernetesEngine()


def as_text(submission: Submission) -> str:
    """What would be handed over, for ``--dry-run``.

    Raises:
        ConfigurationError: the engine has nothing to print.
    """
    if submission.engine != "kubernetes":
        raise ConfigurationError(f"--dry-run: is for Kubernetes; {submission.engine} has no objects to print")
    from helm_repro.engines.kubernetes import as_yaml

    return as_yaml(submission)


def refuse_if_active(cluster: Cluster, submission: Submission) -> None:
    """Raise ConfigurationError if jobs of the suite still wait or run."""
    states = cluster.states(submission)
    if states:
        some = ", ".join(f"{name(part)} {state}" for part, state in list(states.items())[:3])
        raise ConfigurationError(
            f"SUITE_NAME={submission.suite}: is submitted already ({some}); see `helm-repro cancel`"
        )


def unfinished_shards(submission: Submission) -> list[int]:
    """Shards that did not end well or whose runs are missing; all of them before anything was planned."""
    divided = division(submission.suite_path)
    return [index for index in range(submission.shards) if not _is_finished(submission, index, divided)]


def _is_finished(submission: Submission, index: int, divided: Division) -> bool:
    shard = Shard(index, submission.shards)
    path = submission.suite_path / shard.file_name(FILE_NAME)
    if not path.exists() or read_receipt(path)["exit_code"] != 0:
        return False
    missing: Sequence[str] = divided.missing
    return not any(divided.shard_of(name, submission.shards) == index for name in missing)


def name(part: str) -> str:
    """A part as people say it."""
    return part if part == SUMMARIZE else f"shard {part}"
