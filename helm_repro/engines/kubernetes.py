"""The Kubernetes engine: the objects of ``kubernetes_manifests``, applied with the official client.

The client is an optional dependency (``pip install 'helm-repro[kubernetes]'``), and
``submit --dry-run`` needs neither it nor a cluster. Variables that may be secrets are
never written into an object: they must be keys of a Secret in the cluster, named with
``--option secret=NAME``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional

import yaml

from helm_repro.engines.kubernetes_manifests import Pods, manifests
from helm_repro.engines.kubernetes_status import is_finished, shard_states, state
from helm_repro.engines.submission import SUMMARIZE, Submission
from helm_repro.errors import ConfigurationError, EngineError

_SECONDS_TO_CANCEL = 180
_WAITS, _GONE, _EXISTS = 400, 404, 409


class KubernetesEngine:
    """Speaks to the cluster of the current context, or to the one it runs in."""

    name = "kubernetes"

    def __init__(self) -> None:
        try:
            import urllib3
            from kubernetes import client, config
        except ImportError as error:
            raise EngineError("kubernetes: needs the client; pip install 'helm-repro[kubernetes]'") from error
        try:
            config.load_config()
        except config.ConfigException as error:
            raise EngineError(f"kubernetes: no cluster is configured ({error})") from error
        self._api = client.ApiClient()
        self._batch = client.BatchV1Api(self._api)
        self._core = client.CoreV1Api(self._api)
        # The second: no answer at all, such as no route or a wrong certificate.
        self._errors: tuple[type[Exception], ...] = (client.ApiException, urllib3.exceptions.HTTPError)
        self._client = client

    def submit(self, submission: Submission, secrets: Mapping[str, str], shards: Sequence[int]) -> dict[str, str]:
        """Apply all objects; finished Jobs of the same name give way, the volume claim stays.

        Every shard is started: those that lack nothing end within seconds.

        Raises:
            EngineError: the cluster refused one, or a Job of that name has not ended.
        """
        from kubernetes import utils

        namespace = namespace_of(submission)
        pods = pods_of(submission)
        self._remove_finished(submission, namespace)
        for manifest in manifests(dataclasses.replace(pods, submitted=str(int(time.time())))):
            try:
                utils.create_from_dict(self._api, manifest, namespace=namespace)
            except utils.FailToCreateError as error:
                reasons = [exception for exception in error.api_exceptions if exception.status != _EXISTS]
                if reasons or manifest["kind"] != "PersistentVolumeClaim":
                    text = " ".join(str(error).split())[:400]
                    raise EngineError(
                        f"kubernetes: {manifest['kind']} {manifest['metadata']['name']}: {text}"
                    ) from None
        return job_names(submission) or {"schedule": pods.name}

    def states(self, submission: Submission) -> dict[str, str]:
        """Ask for the phase of every pod that has not ended."""
        found = {}
        for pod in self._pods(submission):
            if pod.status.phase in ("Pending", "Running"):
                found[_part_of(pod)] = pod.status.phase.lower()
        return found

    def report(self, submission: Submission) -> dict[str, str]:
        """Ask the Jobs which shards succeeded or failed, and the pods about the others."""
        names, namespace = job_names(submission), namespace_of(submission)
        if not names:
            return {"0": "scheduled", SUMMARIZE: "scheduled"} | self.states(submission)
        run, summarize = (self._job(names[part], namespace) for part in ("run", SUMMARIZE))
        return {**shard_states(run, submission.shards), SUMMARIZE: state(summarize)} | self.states(submission)

    def elsewhere(self, submission: Submission) -> str:
        """The volume, which the submitting machine does not mount."""
        return f"volume claim {pods_of(submission).claim_name} in namespace {namespace_of(submission)}"

    def cancel(self, submission: Submission) -> None:
        """Delete both Jobs with their pods, or the CronJob.

        Raises:
            EngineError: some pod has not ended after three minutes.
        """
        namespace = namespace_of(submission)
        for name in job_names(submission).values():
            self._delete(self._batch.delete_namespaced_job, name, namespace)
        if _is_scheduled(submission):
            self._delete(self._batch.delete_namespaced_cron_job, job_name(submission.suite), namespace)
        deadline = time.monotonic() + _SECONDS_TO_CANCEL
        while left := self.states(submission):
            if time.monotonic() > deadline:
                raise EngineError(f"kubernetes: {', '.join(left)} of {submission.suite} did not end")
            time.sleep(1)

    def logs(self, submission: Submission, part: str) -> Iterator[str]:
        """Lines of the newest pod of a shard, or of the one that summarizes; what it waits for if it has none."""
        pods = [pod for pod in self._pods(submission) if _part_of(pod) == part]
        if pods:
            newest = max(pods, key=lambda pod: pod.metadata.creation_timestamp)
            yield from self._log(newest, namespace_of(submission))

    def _log(self, pod: Any, namespace: str) -> list[str]:
        before = [container.name for container in pod.spec.init_containers or ()]
        said = ""
        # Last first: while a container waits for the ones before it, their log says why.
        for container in (pod.spec.containers[0].name, *reversed(before)):
            try:
                text: str = self._core.read_namespaced_pod_log(pod.metadata.name, namespace, container=container)
            except self._errors as error:
                if getattr(error, "status", None) not in (_WAITS, _GONE):
                    raise _one_line(f"log of {pod.metadata.name}", error) from error
                said = said or _message(error)
                continue
            if text or pod.status.phase != "Pending":
                return text.splitlines()
        return [f"helm-repro: pod {pod.metadata.name} is {pod.status.phase.lower()}{said and f' ({said})'}"]

    def _pods(self, submission: Submission) -> list[Any]:
        selector = f"app.kubernetes.io/instance={job_name(submission.suite)}"
        try:
            return list(self._core.list_namespaced_pod(namespace_of(submission), label_selector=selector).items)
        except self._errors as error:
            raise _one_line("pods", error) from error

    def _remove_finished(self, submission: Submission, namespace: str) -> None:
        """Delete the Jobs of an earlier submission; they may be anybody's, if the suite's name is not unique."""
        found = [job for name in job_names(submission).values() if (job := self._job(name, namespace))]
        for job in found:
            if not is_finished(job):
                raise EngineError(
                    f"kubernetes: Job {job.metadata.name} has not ended in namespace {namespace}; cancel it "
                    f"(`helm-repro cancel {submission.suite}` where it was submitted) or choose another SUITE_NAME"
                )
        for job in found:
            self._delete(self._batch.delete_namespaced_job, job.metadata.name, namespace, job.metadata.uid)

    def _job(self, name: str, namespace: str) -> Optional[Any]:
        try:
            return self._batch.read_namespaced_job(name, namespace)
        except self._errors as error:
            if getattr(error, "status", None) == _GONE:
                return None
            raise _one_line(f"Job {name}", error) from error

    def _delete(self, delete: Callable[..., Any], name: str, namespace: str, uid: Optional[str] = None) -> None:
        """Delete and wait until it is gone with its pods; with ``uid`` no other object that takes the name since."""
        options = self._client.V1DeleteOptions(
            propagation_policy="Foreground", preconditions=self._client.V1Preconditions(uid=uid) if uid else None
        )
        deadline = time.monotonic() + _SECONDS_TO_CANCEL
        while True:
            try:
                delete(name, namespace, body=options)
            except self._errors as error:
                if getattr(error, "status", None) == _GONE:
                    return
                raise _one_line(name, error) from error
            if time.monotonic() > deadline:
                raise EngineError(f"kubernetes: {name} is still being deleted")
            time.sleep(1)


def as_yaml(submission: Submission) -> str:
    """All objects as a YAML stream."""
    return yaml.safe_dump_all(manifests(pods_of(submission)), sort_keys=False, allow_unicode=True, width=110)


def pods_of(submission: Submission) -> Pods:
    """What a submission asks of the cluster.

    Raises:
        ConfigurationError: it has no image, a variable that may be a secret, an unknown option, or shards
            and a schedule.
    """
    if submission.image is None:
        raise ConfigurationError("--image=: must be given for Kubernetes, as in registry.example/helm-repro:lite")
    options = _options(submission)
    if submission.shards > 1 and _is_scheduled(submission):
        raise ConfigurationError(
            f"--shards {submission.shards}: --option schedule=… starts one pod that runs and summarizes; leave out one"
        )
    secrets = [value for name, value in options if name == "secret"]
    if submission.secrets and not secrets:
        raise ConfigurationError(
            f"{', '.join(submission.secrets)}: never written into Kubernetes objects; make a Secret "
            "(kubectl create secret generic NAME --from-env-file=…) and name that with --option secret=NAME"
        )
    return Pods(
        name=job_name(submission.suite),
        leaderboard=submission.leaderboard,
        image=submission.image,
        shards=submission.shards,
        variables=submission.variables,
        secrets=secrets,
        **({"gpus": "1"} if submission.gpu else {})
        | {name: value for name, value in options if name not in ("secret", "namespace")},
    )


def namespace_of(submission: Submission) -> str:
    """Where the objects are."""
    return dict(_options(submission)).get("namespace", "default")


def job_name(suite: str) -> str:
    """A suite's name as the name of an object; unlike it in at most 40 characters, hence the digest."""
    name = "".join(character if character.isalnum() else "-" for character in suite.lower())[:22].strip("-")
    return f"helm-repro-{name}" if name == suite else f"helm-repro-{name}-{zlib.crc32(suite.encode()):08x}"[:40]


def job_names(submission: Submission) -> dict[str, str]:
    """The Jobs of a suite; none if a CronJob makes them."""
    name = job_name(submission.suite)
    if _is_scheduled(submission):
        return {}
    return {"run": f"{name}-run", SUMMARIZE: f"{name}-summarize"}


def _one_line(what: str, error: Exception) -> EngineError:
    return EngineError(f"kubernetes: {what}: {' '.join(str(getattr(error, 'reason', error)).split())[:400]}")


def _message(error: Exception) -> str:
    """What the cluster says in words, if it does."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        return " ".join(str(json.loads(error.body)["message"]).split())[:400]  # type: ignore[attr-defined]
    return ""


def _is_scheduled(submission: Submission) -> bool:
    return any(name == "schedule" for name, _ in _options(submission))


def _options(submission: Submission) -> list[tuple[str, str]]:
    allowed = ("secret", "namespace", "claim", "storage", "storage_class", "cpu", "memory", "gpus", "schedule")
    options = []
    for option in submission.options:
        name, separator, value = option.partition("=")
        name = name.replace("-", "_")
        if not separator or name not in allowed:
            raise ConfigurationError(f"--option {option}: allowed: {', '.join(f'{n}=…' for n in allowed)}")
        options.append((name, value))
    return options


def _part_of(pod: Any) -> str:
    # https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetes-io-job-completion-index
    index: Optional[str] = (pod.metadata.annotations or {}).get("batch.kubernetes.io/job-completion-index")
    return SUMMARIZE if index is None else index
