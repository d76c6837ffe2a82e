"""Kubernetes: the objects are valid, say what is retried, hold no secret; the client applies them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from helm_repro.cli.main import verbs
from helm_repro.engines.kubernetes import job_name
from helm_repro.engines.kubernetes_manifests import failure_policy
from helm_repro.errors import EngineError, HelmReproError
from helm_repro.inside.commands.await_shards import SUBMITTED_VARIABLE
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.variables import BY_NAME
from tests.cluster.fake_kubernetes import FakeKubernetes, fake_kubernetes, use

_SECRET = "sk-a-secret-that-nobody-may-see"
_COMMON = ("submit", "smoke", "--engine", "kubernetes", "--image", "registry.example/helm-repro:smoke")
_SUBMIT = (
    *_COMMON,
    "--shards",
    "4",
    "--model",
    "simple/model1",
    "-e",
    "MAX_EVAL_INSTANCES=3",
    "--option",
    "secret=keys",
)
# The last of two numbers of shards counts.
_SCHEDULE = ("--shards", "1", "--option", "schedule=0 3 * * 1")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BY_NAME:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", _SECRET)


def _helm_repro(*arguments: str) -> str:
    done = CliRunner().invoke(verbs, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _dry_run(*options: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(_helm_repro(*_SUBMIT, *options, "--dry-run")))


def _newest_versions() -> list[str]:
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    minors = sorted({int(path.name.split(".")[1]) for path in folder.glob("v1.*-local")})
    return [f"1.{minor}" for minor in minors[-3:]]


@pytest.mark.parametrize("version", _newest_versions())
@pytest.mark.parametrize("options", [(), ("--gpu",), _SCHEDULE, ("--option", "storage-class=nfs")])
def test_objects_are_valid(version: str, options: tuple[str, ...]) -> None:
    for manifest in _dry_run(*options):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_validation_sees_a_wrong_object() -> None:
    job = _dry_run()[1]
    job["spec"]["backoffLimitPerIndexx"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, _newest_versions()[-1], strict=True)


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (ExitCode.CONFIGURATION, "FailJob"),
        (ExitCode.CREDENTIALS, "FailJob"),
        (ExitCode.PARTIAL, "FailIndex"),
        (ExitCode.API, "retry"),
        (ExitCode.UPSTREAM_DATA, "retry"),
        (ExitCode.TERMINATED, "retry"),
        (137, "retry"),
    ],
)
def test_what_a_shard_s_exit_code_leads_to(code: int, action: str) -> None:
    run = _dry_run()[1]["spec"]
    assert run["podFailurePolicy"] == failure_policy(per_index=True)
    assert run["backoffLimitPerIndex"] > 0
    assert run["template"]["spec"]["restartPolicy"] == "Never"
    assert _action(run["podFailurePolicy"], code) == action


def test_eviction_is_not_counted_and_summarizing_does_not_repeat_itself() -> None:
    rules = _dry_run()[2]["spec"]["podFailurePolicy"]
    assert rules["rules"][0] == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    assert _action(rules, ExitCode.PARTIAL) == "FailJob"
    assert _action(rules, ExitCode.TERMINATED) == "retry"


def _action(policy: dict[str, Any], code: int) -> str:
    """What the Job controller does: the first rule that matches decides, and without one the pod is tried again."""
    for rule in policy["rules"]:
        if code in rule.get("onExitCodes", {}).get("values", ()):
            return str(rule["action"])
    return "retry"


def test_the_objects_are_what_the_shards_need() -> None:
    claim, run, summarize = _dry_run()
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert (run["spec"]["completionMode"], run["spec"]["completions"]) == ("Indexed", 4)
    (container,) = run["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run"]
    assert {"name": "SHARD_COUNT", "value": "4"} in container["env"]
    assert container["envFrom"] == [{"secretRef": {"name": "keys"}}]
    pod = summarize["spec"]["template"]["spec"]
    assert [one["args"] for one in (*pod["initContainers"], *pod["containers"])] == [["await-shards"], ["summarize"]]
    for one in (run, summarize):
        assert one["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
        assert (
            one["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
            == claim["metadata"]["name"]
        )
    scheduled = _dry_run(*_SCHEDULE, "--option", "claim=mine")
    assert [one["kind"] for one in scheduled] == ["CronJob"]


def test_a_gpu_is_for_pods_that_ask_models() -> None:
    def asked(*options: str) -> list[str | None]:
        _, run, summarize = _dry_run(*options)
        pods = [run["spec"]["template"]["spec"], summarize["spec"]["template"]["spec"]]
        containers = [one for pod in pods for one in (*pod["containers"], *pod.get("initContainers", ()))]
        return [one["resources"]["limits"].get("nvidia.com/gpu") for one in containers]

    assert asked() == [None, None, None]
    assert asked("--gpu") == ["1", None, None]
    assert asked("--gpu", "--option", "gpus=4") == ["4", None, None]


def test_no_secret_is_written_into_an_object(tmp_path: Path) -> None:
    assert _SECRET not in _helm_repro(*_SUBMIT, "--dry-run")
    with pytest.raises(HelmReproError, match=r"OPENAI_API_KEY: never written.*secret=NAME"):
        _helm_repro(*_COMMON, "--model", "a/b", "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("submit", "smoke", "--engine", "kubernetes", "--model", "a/b", "--option", "secret=x"),
            "--image=: must be given",
        ),
        ((*_SUBMIT, "--option", "colour=red"), "--option colour=red: allowed: secret=…"),
        ((*_SUBMIT, "--option", "schedule=0 3 * * 1"), "--shards 4: --option schedule=… starts one pod"),
        (("submit", "smoke", "--engine", "kubernetes"), "MODELS_TO_RUN=: must name a model"),
        (("submit", "smoke", "--engine", "slurm", "--model", "a/b"), "--dry-run: is for Kubernetes"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(HelmReproError, match=message):
        _helm_repro(*arguments, "--dry-run")


@pytest.mark.parametrize("suite", ["my-suite", "Lite.2026_11", "x" * 100])
def test_names_of_objects_are_labels(suite: str) -> None:
    name = job_name(suite)
    assert len(f"{name}-summarize") <= 63
    assert name.replace("-", "").isalnum()
    assert name == name.lower()
    assert name != job_name(suite + "x")


def test_kubectl_accepts_the_objects(tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        if os.environ.get("CI"):
            pytest.fail("needs kubectl")
        pytest.skip("needs kubectl")
    with fake_kubernetes(tmp_path) as cluster:
        for options in ((), _SCHEDULE):
            done = subprocess.run(
                ["kubectl", "create", "--dry-run=client", "--validate=false", "--output=name", "--filename=-"],
                input=_helm_repro(*_SUBMIT, *options, "--dry-run"),
                env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            kinds = [line.partition("/")[0] for line in done.stdout.splitlines()]
            work = ["cronjob.batch"] if options else ["job.batch", "job.batch"]
            assert kinds == ["persistentvolumeclaim", *work]
        assert not cluster.objects


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    with fake_kubernetes(tmp_path) as made:
        use(made, monkeypatch)
        yield made


def test_the_client_applies_resumes_and_deletes(cluster: FakeKubernetes, tmp_path: Path) -> None:
    where = ("--output", str(tmp_path / "output"))
    out = _helm_repro(*_SUBMIT, *where)
    assert out == "submitted my-suite: run helm-repro-my-suite-run, summarize helm-repro-my-suite-summarize\n"
    names = {name for _, name in cluster.objects}
    assert names == {"helm-repro-my-suite-data", "helm-repro-my-suite-run", "helm-repro-my-suite-summarize"}
    _add_pod(cluster, "2", "Running")
    assert "running" in _helm_repro("status", *where)
    assert _helm_repro("logs", "my-suite", "2", *where) == "first line\nlast line\n"
    with pytest.raises(HelmReproError, match="submitted already"):
        _helm_repro("resume", *where)
    cluster.objects.pop(("pods", "pod-2"))
    for part in ("run", "summarize"):
        _set_status(cluster, part, "Failed")
    volume = "volume claim helm-repro-my-suite-data in namespace default"
    assert _helm_repro("resume", *where) == (
        f"submitted my-suite again: every shard and summarize; the suite is on {volume}, "
        "where finished runs are not run again\n"
    )
    assert _SECRET not in (tmp_path / "output/jobs/my-suite.json").read_text()
    _helm_repro("cancel", *where)
    # The volume holds the results.
    assert [kind for kind, _ in cluster.objects] == ["persistentvolumeclaims"]


def test_the_job_that_waits_knows_when_the_shards_were_submitted(cluster: FakeKubernetes, tmp_path: Path) -> None:
    _helm_repro(*_SUBMIT, "--output", str(tmp_path))
    (wait,) = cluster.objects["jobs", "helm-repro-my-suite-summarize"]["spec"]["template"]["spec"]["initContainers"]
    (submitted,) = (one["value"] for one in wait["env"] if one["name"] == SUBMITTED_VARIABLE)
    assert submitted.isdecimal()
    # The same objects for the same command.
    assert SUBMITTED_VARIABLE not in _helm_repro(*_SUBMIT, "--dry-run")


@pytest.mark.parametrize("part", ["run", "summarize"])
def test_a_job_that_has_not_ended_is_nobody_s_to_delete(cluster: FakeKubernetes, tmp_path: Path, part: str) -> None:
    _helm_repro(*_SUBMIT, "--output", str(tmp_path / "mine"))
    for one in {"run", "summarize"} - {part}:
        _set_status(cluster, one, "Complete")
    before = dict(cluster.objects)
    # Another folder knows nothing of it.
    with pytest.raises(
        EngineError, match=rf"Job helm-repro-my-suite-{part} has not ended in namespace default"
    ) as raised:
        _helm_repro(*_SUBMIT, "--output", str(tmp_path / "other"))
    assert raised.value.exit_code == 2
    assert cluster.objects == before
    _set_status(cluster, part, "Complete")
    _helm_repro(*_SUBMIT, "--output", str(tmp_path / "other"))
    assert cluster.objects["jobs", f"helm-repro-my-suite-{part}"] != before["jobs", f"helm-repro-my-suite-{part}"]


def test_two_that_replace_finished_jobs_at_once_do_not_delete_each_other_s(
    cluster: FakeKubernetes, tmp_path: Path
) -> None:
    _helm_repro(*_SUBMIT, "--output", str(tmp_path / "mine"))
    for part in ("run", "summarize"):
        _set_status(cluster, part, "Complete")
    key = ("jobs", "helm-repro-my-suite-run")
    new = {**cluster.objects[key], "metadata": {**cluster.objects[key]["metadata"], "uid": "of-the-other"}}
    cluster.before_delete = lambda: cluster.objects.update({key: new})
    with pytest.raises(EngineError, match="helm-repro-my-suite-run: Conflict"):
        _helm_repro(*_SUBMIT, "--output", str(tmp_path / "other"))
    assert cluster.objects[key] is new


def test_status_is_what_the_jobs_say(cluster: FakeKubernetes, tmp_path: Path) -> None:
    where = ("--output", str(tmp_path / "output"))
    _helm_repro(*_SUBMIT, "--shards", "6", *where)
    _add_pod(cluster, "4", "Running")
    _set_status(cluster, "run", None, completedIndexes="0,2-3", failedIndexes="1", active=1, succeeded=3, failed=1)
    record = json.loads(_helm_repro("status", "--json", *where))
    states = ["succeeded", "failed", "succeeded", "succeeded", "running", "waiting"]
    assert [shard["state"] for shard in record["shards"]] == states
    assert record["summarize"] == "waiting"
    # What is on the volume is not known, and not nought.
    assert {shard["complete"] for shard in record["shards"]} == {None}
    assert record["missing"] is None
    cluster.objects.pop(("pods", "pod-4"))
    _set_status(cluster, "run", "Failed", completedIndexes="0,2-3", failedIndexes="1")
    _set_status(cluster, "summarize", "Complete")
    text = _helm_repro("status", *where)
    assert [line.split()[-1] for line in text.splitlines()[1:8]] == [*states[:4], "stopped", "stopped", "succeeded"]
    assert "the suite is on volume claim helm-repro-my-suite-data in namespace default; what it holds is" in text
    assert "Complete" not in text
    _helm_repro("cancel", *where)
    assert "no job" in _helm_repro("status", *where)


def test_options_of_another_engine_s_submission_are_not_read(
    cluster: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--output", str(tmp_path / "output"))
    _helm_repro(*_SUBMIT, *where)
    record = tmp_path / "output/jobs/my-suite.json"
    changed = {"engine": "slurm", "options": ["--partition=long"], "jobs": {"run": "12", "summarize": "13"}}
    record.write_text(json.dumps({**json.loads(record.read_bytes()), **changed}))
    cluster.objects.clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        EngineError, match=r"my-suite: was submitted to slurm, which cannot be asked .*choose another name"
    ):
        _helm_repro(*_SUBMIT, *where)
    for program, line in (("sbatch", ""), ("scancel", ""), ("squeue", "echo '12 3 RUNNING'")):
        (tmp_path / program).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / program).chmod(0o755)
    with pytest.raises(HelmReproError, match=r"submitted already \(shard 3 running\)"):
        _helm_repro(*_SUBMIT, *where)
    (tmp_path / "squeue").write_text("#!/bin/sh\n")
    _helm_repro(*_SUBMIT, *where)
    assert json.loads(record.read_bytes())["options"] == ["secret=keys"]


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_kubernetes(tmp_path) as gone:
        use(gone, monkeypatch)
    with pytest.raises(EngineError, match=r"^kubernetes: Job helm-repro-my-suite-run: .*Connection refused.*$"):
        _helm_repro(*_SUBMIT, "--output", str(tmp_path))


@pytest.mark.parametrize(
    "name", ["RUN_ENTRIES_CONF_PATH", "SCHEMA_PATH", "LOCAL_MODEL_PATH", "MY_KEY_FILE", "REQUESTS_CA_BUNDLE"]
)
def test_paths_of_this_machine_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text("")
    monkeypatch.chdir(tmp_path)
    for value in ("mine", str(tmp_path / "mine")):
        with pytest.raises(HelmReproError, match=rf"^{name}={value}: is a path of this machine.*/data.*helm-repro new"):
            _dry_run("-e", f"{name}={value}")


def test_gated_data_is_on_the_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gated = ("submit", "medhelm-gated", *_SUBMIT[2:], "--dry-run")
    monkeypatch.setenv("EHRSHOT_PATH", "/data/ehrshot")
    run = list(yaml.safe_load_all(_helm_repro(*gated)))[1]
    (container,) = run["spec"]["template"]["spec"]["containers"]
    assert {"name": "EHRSHOT_PATH", "value": "/data/ehrshot"} in container["env"]
    monkeypatch.setenv("EHRSHOT_PATH", str(tmp_path))
    with pytest.raises(HelmReproError, match=r"^EHRSHOT_PATH=.*: is a path of this machine"):
        _helm_repro(*gated)


def test_the_file_of_a_key_is_the_cluster_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.json").touch()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    assert str(tmp_path) not in _helm_repro(*_SUBMIT, "--dry-run")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOCAL_MODEL_PATH", "/data/models/that-is-on-the-volume"),
        ("LOCAL_MODEL_PATH", "/models/that-is-in-the-image"),
        ("SCHEMA_PATH", "schema_of_the_leaderboard.yaml"),
        # Debian's certificates are on this machine and in the image.
        ("SSL_CERT_FILE", "/etc/ssl"),
        # A repository of Hugging Face, even if a folder here has its name.
        ("MODEL_TOKENIZER", "my-org"),
    ],
)
def test_paths_of_the_image_and_the_volume_are_passed_on(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my-org").mkdir()
    monkeypatch.chdir(tmp_path)
    (container,) = _dry_run("-e", f"{name}={value}")[1]["spec"]["template"]["spec"]["containers"]
    assert {"name": name, "value": value} in container["env"]


def _set_status(cluster: FakeKubernetes, part: str, condition: str | None, **status: object) -> None:
    """Make a Job's status what its controller would; without a condition it goes on."""
    conditions = [{"type": condition, "status": "True"}] if condition else []
    key = ("jobs", f"helm-repro-my-suite-{part}")
    cluster.objects[key] = {**cluster.objects[key], "status": {"conditions": conditions, **status}}


def _add_pod(cluster: FakeKubernetes, index: str, phase: str) -> None:
    annotations = {"batch.kubernetes.io/job-completion-index": index}
    metadata = {"name": f"pod-{index}", "annotations": annotations, "creationTimestamp": "2026-11-23T00:00:00Z"}
    spec = {"containers": [{"name": "run"}]}
    cluster.objects["pods", f"pod-{index}"] = {"metadata": metadata, "status": {"phase": phase}, "spec": spec}
