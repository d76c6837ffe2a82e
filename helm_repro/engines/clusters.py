"""The engines that take jobs, by name, and what is common to handing a suite to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from helm_repro.catalogue import Catalogue
from helm_repro.engines.kubernetes_paths import refuse_host_paths
from helm_repro.engines.paths import with_absolute_paths
from helm_repro.engines.submission import SUMMARIZE, Cluster, Submission, read_submission, record_path
from helm_repro.errors import ConfigurationError, EngineError
from helm_repro.inside.inputs.shard import Shard
from helm_repro.inside.suite.shard_receipts import FILE_NAME, read_receipt
from helm_repro.inside.suite.sharding import Division, division

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


def variables_there(engine: str, variables: Mapping[str, str], data_variables: Collection[str] = ()) -> dict[str, str]:
    """The variables as they mean the same where the tasks run.

    Args:
        data_variables: the leaderboard's, which name folders.

    Raises:
        ConfigurationError: one names a file that is not there.
    """
    if engine == "kubernetes":
        refuse_host_paths(variables, data_variables)
        return dict(variables)
    return with_absolute_paths(variables, data_variables)


def refuse_if_submitted(output: Path, suite: str, catalogue: Catalogue) -> None:
    """Ask the engine that the suite was submitted to last, which need not be the one it is for now.

    Raises:
        ConfigurationError: jobs of it still wait or run.
        EngineError: that engine cannot be asked here.
    """
    if not record_path(output, suite).exists():
        return
    before = read_submission(output, suite)
    try:
        cluster = cluster_of(before, catalogue)
    except EngineError as error:
        raise EngineError(
            f"SUITE_NAME={suite}: was submitted to {before.engine}, which cannot be asked whether it ended ({error}); "
            "choose another name"
        ) from error
    refuse_if_active(cluster, before)


def refuse_if_active(cluster: Cluster, submission: Submission) -> None:
    """Raise ConfigurationError if jobs of the suite still wait or run."""
    states = cluster.states(submission)
    if states:
        some = ", ".join(f"{name(part)} {state}" for part, state in list(states.items())[:3])
        raise ConfigurationError(
            f"SUITE_NAME={submission.suite}: is submitted already ({some}); see `helm-repro cancel`"
        )


def unfinished_shards(submission: Submission) -> list[int]:
    """Shards that did not end well or whose runs are missing; all of them before anything was planned.

    The suite must lie in the output folder.
    """
    divided = division(submission.suite_path)
    return [index for index in range(submission.shards) if not _is_finished(submission, index, divided)]


def _is_finished(submission: Submission, index: int, divided: Division) -> bool:
    shard = Shard(index, submission.shards)
    path = submission.suite_path / shard.file_name(FILE_NAME)
    if not path.exists():
        return False
    receipt = read_receipt(path)
    # An earlier submission's receipt says nothing of other models.
    if receipt["exit_code"] != 0 or set(receipt["models"]) != set(submission.models):
        return False
    missing: Sequence[str] = divided.missing
    return not any(divided.shard_of(name, submission.shards) == index for name in missing)


def name(part: str) -> str:
    """A part as people say it."""
    return part if part == SUMMARIZE else f"shard {part}"
