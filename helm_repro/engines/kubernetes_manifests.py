"""A leaderboard as Kubernetes objects: plain dictionaries, the same for the same input.

* An Indexed Job with one pod per shard. A pod that is evicted or dies is started again
  and continues (``backoffLimitPerIndex``, per shard). What cannot get better is not tried
  again: exit codes 2 and 4 (configuration, credentials) would hit every shard, so they
  end the Job; 3 (some runs failed for good, the entrypoint tried as often as it should)
  ends its shard.
* A Job that summarizes. There is no order between Jobs without an operator, so it waits
  in an init container of our own image for the shards (``await-shards``): they share the
  volume, and the suite shows who works on it. That needs no right on the API and goes on
  when the submitting machine is gone.
* With a schedule, one CronJob whose pod runs and summarizes a suite named after its Job.

Sources: https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index
and #pod-failure-policy; https://kubernetes.io/docs/concepts/security/pod-security-standards/
(the pods satisfy "restricted").
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from helm_repro.inside.commands.await_shards import SUBMITTED_VARIABLE
from helm_repro.inside.exit_codes import ExitCode

# Every index in between may be evicted that often before its shard counts as failed.
_RETRIES_PER_SHARD = 6
_USER = 1000
# The entrypoint ends HELM within 5 s of SIGTERM and then writes its receipt.
_GRACE_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Pods:
    """What is asked of the cluster.

    Attributes:
        secrets: names of Secrets whose keys are variables of the entrypoint, such as OPENAI_API_KEY.
        claim: an existing PersistentVolumeClaim; ``None`` makes one.
        storage: size of the claim to make.
        storage_class: of the claim to make; it must allow ReadWriteMany if there are shards.
        gpus: GPUs for each pod that asks models, if any.
        schedule: in cron's notation.
        submitted: seconds since the epoch; what is on the volume from before is not of these pods.
    """

    name: str
    leaderboard: str
    image: str
    shards: int
    variables: Mapping[str, str]
    secrets: Sequence[str] = ()
    claim: Optional[str] = None
    storage: str = "50Gi"
    storage_class: Optional[str] = None
    cpu: str = "2"
    memory: str = "4Gi"
    gpus: Optional[str] = None
    schedule: Optional[str] = None
    submitted: Optional[str] = None

    @property
    def claim_name(self) -> str:
        return self.claim or f"{self.name}-data"


def manifests(pods: Pods) -> list[dict[str, Any]]:
    """All objects, in the order in which they are applied."""
    work = [_cron_job(pods)] if pods.schedule else [run_job(pods), summarize_job(pods)]
    return [*([] if pods.claim else [_claim(pods)]), *work]


def run_job(pods: Pods, shards: Optional[Sequence[int]] = None) -> dict[str, Any]:
    """The Indexed Job that runs the shards."""
    spec = {
        "completionMode": "Indexed",
        "completions": pods.shards,
        "parallelism": pods.shards,
        "backoffLimitPerIndex": _RETRIES_PER_SHARD,
        "podFailurePolicy": failure_policy(per_index=True),
        "template": _template(pods, [_container(pods, "run", ["run"], {"SHARD_COUNT": str(pods.shards)})]),
    }
    return {**_head(pods, "batch/v1", "Job", f"{pods.name}-run"), "spec": spec}


def summarize_job(pods: Pods) -> dict[str, Any]:
    """The Job that waits for the shards and summarizes what there is."""
    known = {"SHARD_COUNT": str(pods.shards)}
    if pods.submitted:
        known[SUBMITTED_VARIABLE] = pods.submitted
    wait = _container(pods, "await-shards", ["await-shards"], known, waits=True)
    spec = {
        "backoffLimit": _RETRIES_PER_SHARD,
        "podFailurePolicy": failure_policy(per_index=False),
        "template": _template(pods, [_container(pods, "summarize", ["summarize"], {})], [wait]),
    }
    return {**_head(pods, "batch/v1", "Job", f"{pods.name}-summarize"), "spec": spec}


def failure_policy(per_index: bool) -> dict[str, Any]:
    """Which ends of a pod are tried again: all that the rules do not name."""
    hopeless = [int(ExitCode.CONFIGURATION), int(ExitCode.CREDENTIALS)]
    for_good = [int(ExitCode.PARTIAL)]
    rules: list[dict[str, Any]] = [
        # Drained nodes and preemption are nobody's failure and count for nothing.
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": hopeless}},
        {
            "action": "FailIndex" if per_index else "FailJob",
            "onExitCodes": {"operator": "In", "values": for_good},
        },
    ]
    return {"rules": rules}


def _cron_job(pods: Pods) -> dict[str, Any]:
    container = _container(pods, "run", ["run", "summarize"], {})
    # Each time a suite of its own, or everything would be found finished. It is named after the Job, whose
    # name holds the time it was due; a date would be another one for a pod that is started again after midnight.
    others = [variable for variable in container["env"] if variable["name"] != "SUITE_NAME"]
    name = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}}
    container["env"] = [*others, {"name": "SUITE_NAME", "valueFrom": name}]
    spec = {
        "schedule": pods.schedule,
        "concurrencyPolicy": "Forbid",
        "jobTemplate": {
            "spec": {
                "backoffLimit": _RETRIES_PER_SHARD,
                "podFailurePolicy": failure_policy(per_index=False),
                "template": _template(pods, [container]),
            }
        },
    }
    return {**_head(pods, "batch/v1", "CronJob", pods.name), "spec": spec}


def _claim(pods: Pods) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteMany" if pods.shards > 1 else "ReadWriteOnce"],
        "resources": {"requests": {"storage": pods.storage}},
    }
    if pods.storage_class:
        spec["storageClassName"] = pods.storage_class
    return {**_head(pods, "v1", "PersistentVolumeClaim", pods.claim_name), "spec": spec}


def _template(
    pods: Pods, containers: list[dict[str, Any]], before: Optional[list[dict[str, Any]]] = None
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        # The pods need nothing of the API.
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": containers,
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": pods.claim_name}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    if before:
        spec["initContainers"] = before
    return {"metadata": {"labels": _labels(pods)}, "spec": spec}


def _container(
    pods: Pods, name: str, words: list[str], extra: Mapping[str, str], waits: bool = False
) -> dict[str, Any]:
    variables = {**pods.variables, **extra, "DATA_DIR": "/data"}
    needs = {"cpu": "50m", "memory": "128Mi"} if waits else {"cpu": pods.cpu, "memory": pods.memory}
    limits = {"memory": needs["memory"]}
    if pods.gpus and "run" in words:
        # A limit is a request, too: https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/
        limits["nvidia.com/gpu"] = pods.gpus
    container: dict[str, Any] = {
        "name": name,
        "image": pods.image,
        "args": words,
        "env": [{"name": key, "value": value} for key, value in sorted(variables.items())],
        "resources": {"requests": needs, "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    if pods.secrets and not waits:
        container["envFrom"] = [{"secretRef": {"name": secret}} for secret in pods.secrets]
    return container


def _head(pods: Pods, version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": _labels(pods)}}


def _labels(pods: Pods) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "helm-repro",
        "app.kubernetes.io/instance": pods.name,
        "app.kubernetes.io/component": pods.leaderboard,
    }
