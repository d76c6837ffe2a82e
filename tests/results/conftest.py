"""A release and suites made once with HELM, and copies of them to alter."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helm_repro.cli.main import verbs
from helm_repro.errors import HelmReproError
from helm_repro.results import cache as cache_module
from helm_repro.results import http_store
from tests.results.file_server import FileServer
from tests.results.made_with_helm import RELEASE, make

ROOT = Path(__file__).parents[2]
Verb = Callable[..., Result]


@pytest.fixture(scope="session")
def made(helm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``made_with_helm``; only to be read. HELM_REPRO_TEST_MADE names one to use again."""
    kept = os.environ.get("HELM_REPRO_TEST_MADE")
    if kept:
        return Path(kept)
    return make(helm_python, ROOT / "leaderboards" / "smoke" / "schema_smoke.yaml", tmp_path_factory.mktemp("made"))


@pytest.fixture
def published(made: Path, tmp_path: Path) -> Path:
    """A copy of the published benchmark_output."""
    return Path(shutil.copytree(made / "published" / "benchmark_output", tmp_path / "published" / "benchmark_output"))


@pytest.fixture
def runs(published: Path) -> Path:
    """The published runs' folder."""
    return published / "runs" / RELEASE


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    """A copy of our output folder with the suites ``same`` and ``flipped``."""
    return Path(shutil.copytree(made / "ours", tmp_path / "output"))


@pytest.fixture
def server(published: Path) -> Iterator[FileServer]:
    """The published results at a web address."""
    with FileServer(published.parent) as files:
        yield files


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no waiting between attempts."""
    monkeypatch.setenv(cache_module.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(http_store, "WAIT_SECONDS", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def verb() -> Verb:
    """Run ``helm-repro`` with these arguments; ``exit_code`` as the console command would end."""

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(verbs, [str(argument) for argument in arguments])
        if isinstance(result.exception, HelmReproError):
            result.exit_code = int(result.exception.exit_code)
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def verdicts(verb: Verb, output: Path, server: FileServer) -> Callable[..., tuple[int, dict[tuple[str, str], str]]]:
    """Verify a suite against the server: exit code, and (model, scenario) -> verdict with cause."""

    def run(*arguments: object, suite: str = "same") -> tuple[int, dict[tuple[str, str], str]]:
        result = verb(
            *("verify", "smoke", "--suite", suite, "--output", output, "--release", RELEASE),
            *("--published", f"{server.url}/benchmark_output", "--json", *arguments),
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            return result.exit_code, {("error", ""): str(result.exception)}
        scenarios: list[dict[str, Any]] = json.loads(result.stdout)["scenarios"]
        return result.exit_code, {
            (s["model"], s["scenario"]): f"{s['verdict']}: {s['cause']}" if s["cause"] else s["verdict"]
            for s in scenarios
        }

    return run
