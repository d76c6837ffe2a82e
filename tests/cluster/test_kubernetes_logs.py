"""`helm-repro logs` on Kubernetes: also of pods that have none yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from helm_repro.cli.main import verbs
from helm_repro.engines.submission import Submission
from helm_repro.errors import EngineError
from tests.cluster.fake_kubernetes import FakeKubernetes, fake_kubernetes, use

Logs = Callable[..., str]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    with fake_kubernetes(tmp_path) as made:
        use(made, monkeypatch)
        yield made


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """The verb, for a suite of three shards."""
    Submission("smoke", "kubernetes", "my-suite", 3, {}, (), tmp_path, image="registry.example/smoke").write()

    def run(*part: str) -> str:
        arguments = ("logs", "my-suite", *part, "--output", str(tmp_path))
        done = CliRunner().invoke(verbs, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_logs_say_what_a_pod_without_one_waits_for(cluster: FakeKubernetes, logs: Logs) -> None:
    _add_pod(cluster, "0", "Running")
    _add_pod(cluster, "1", "Pending")
    _add_pod(cluster, "2", "Pending", containerStatuses=_waiting("run", "ImagePullBackOff"))
    initializing = {
        "containerStatuses": _waiting("summarize", "PodInitializing"),
        "initContainerStatuses": _waiting("await-shards", "PodInitializing"),
    }
    _add_pod(cluster, "summarize", "Pending", **initializing)
    assert logs().splitlines() == [
        "shard 0: first line",
        "shard 0: last line",
        "shard 1: helm-repro: pod pod-1 is pending",
        'shard 2: helm-repro: pod pod-2 is pending (container "run" in pod "pod-2" is waiting to start: '
        "ImagePullBackOff)",
        'summarize: helm-repro: pod pod-summarize is pending (container "summarize" in pod "pod-summarize" is waiting '
        "to start: PodInitializing)",
    ]
    # As soon as the container that awaits the shards runs, its log says how that goes.
    del initializing["initContainerStatuses"]
    _add_pod(cluster, "summarize", "Pending", **initializing)
    cluster.logs["await-shards"] = "helm-repro: waiting for 3 of 4 shards\n"
    assert logs("summarize") == "helm-repro: waiting for 3 of 4 shards\n"
    _add_pod(cluster, "summarize", "Running")
    assert logs("summarize") == "first line\nlast line\n"


def test_a_log_that_is_refused_is_one_line(cluster: FakeKubernetes, logs: Logs) -> None:
    _add_pod(cluster, "0", "Running")
    cluster.forbids_logs = True
    with pytest.raises(EngineError, match=r"^kubernetes: log of pod-0: Forbidden$"):
        logs("0")


def _add_pod(cluster: FakeKubernetes, index: str, phase: str, **statuses: object) -> None:
    """A shard's pod, or the one that summarizes."""
    metadata: dict[str, Any] = {"name": f"pod-{index}", "creationTimestamp": "2026-11-23T00:00:00Z"}
    spec: dict[str, Any] = {"containers": [{"name": "run"}]}
    if index == "summarize":
        spec = {"initContainers": [{"name": "await-shards"}], "containers": [{"name": "summarize"}]}
    else:
        metadata["annotations"] = {"batch.kubernetes.io/job-completion-index": index}
    status = {"phase": phase, **statuses}
    cluster.objects["pods", f"pod-{index}"] = {"metadata": metadata, "status": status, "spec": spec}


def _waiting(container: str, reason: str) -> list[dict[str, Any]]:
    return [{"name": container, "state": {"waiting": {"reason": reason}}, "image": "", "imageID": "", "ready": False,
             "restartCount": 0}]  # fmt: skip
