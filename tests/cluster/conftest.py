"""What the tests of shards and clusters share."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.engines.local import CACHE_VARIABLE, environment_python
from helm_repro.inside.suite.journal import Journal
from tests.cluster.slurm_cluster import SlurmCluster, missing_programs
from tests.conftest import ROOT, clean_environment

MODEL = "simple/model1"
LIMIT = "MAX_EVAL_INSTANCES=3"
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def local_cache(helm_python: Path, catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder whose environment is the tests' Python with HELM, for commands that use the local engine."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(cache))
        environment = environment_python(catalogue, catalogue.leaderboards["smoke"]).parents[1]
    environment.parent.mkdir(parents=True)
    environment.symlink_to(helm_python.parents[1])
    (environment / ".complete").touch()
    return cache


@pytest.fixture(scope="session")
def helm_repro(local_cache: Path) -> Command:
    """Run the ``helm-repro`` command as a user does."""

    def run(*arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(ROOT / ".venv/bin/helm-repro"), *arguments],
            env=clean_environment(**{CACHE_VARIABLE: str(local_cache), **variables}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def unsharded(helm_repro: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke suite as one process makes it."""
    output = tmp_path_factory.mktemp("unsharded")
    arguments = ("--engine", "local", "--stages", "run,summarize", "--model", MODEL, "-e", LIMIT)
    helm_repro("run", "smoke", *arguments, "--output", str(output))
    return output / "benchmark_output/runs/my-suite"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Slurm on this host, with two nodes."""
    missing = missing_programs()
    if missing or os.getuid() != 0:
        reason = f"needs Slurm ({', '.join(missing)} missing)" if missing else "needs root, as Slurm's daemons do"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with SlurmCluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def events(suite: Path, kind: str) -> list[dict[str, Any]]:
    """Events of that kind in the suite's journals."""
    return [event for event in Journal(suite).read_suite() if event["event"] == kind]


def finished_runs(suite: Path) -> set[str]:
    """Runs that some shard has finished."""
    return {str(event["run"]) for event in events(suite, "done")}


def times(suite: Path) -> dict[str, int]:
    """When each run's results were written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in suite.glob("*/stats.json")}


def parse(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)
