"""``status`` counts the runs of a suite without shards too, and says nothing where nothing is known."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from helm_repro.cli.main import verbs
from helm_repro.engines.submission import Submission
from helm_repro.inside.suite.journal import Journal
from tests.cluster.fake_kubernetes import fake_kubernetes
from tests.support.runs import write_run


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "benchmark_output/runs/my-suite"
    path.mkdir(parents=True)
    (path / "suite.json").write_text(json.dumps({"identity": {}, "models": ["a/b"]}))
    return path


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A squeue that prints what is in this file."""
    listing = tmp_path / "listing"
    listing.write_text("12 0 RUNNING\n13 N/A PENDING\n")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scancel"):
        (folder / name).write_text(f"#!/bin/sh\ncat {listing}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return listing


def test_one_shard_on_slurm_is_counted_by_its_plan(suite: Path, slurm: Path, tmp_path: Path) -> None:
    _submit(tmp_path, "slurm", shards=1)
    status = _status(tmp_path)
    assert status["shards"] == [{"shard": 0, "state": "running", "planned": None, "complete": None}]
    assert _table(tmp_path)[1].split() == ["shard", "0", "running", "-", "-"]
    _plan(suite)
    write_run(suite / "x")
    slurm.write_text("")
    status = _status(tmp_path)
    assert status["shards"] == [{"shard": 0, "state": "ended", "planned": 2, "complete": 1}]
    assert status["missing"] == ["y"]
    assert _table(tmp_path)[1].split() == ["shard", "0", "ended", "1", "2"]


def test_shards_are_counted_by_their_division(suite: Path, slurm: Path, tmp_path: Path) -> None:
    _submit(tmp_path, "slurm", shards=2)
    record = {"shards": 2, "time": 1.0, "models": ["a/b"], "whole": True, "runs": {"x": 0, "y": 1, "z": 1}}
    (suite / "division-of-2-abc.json").write_text(json.dumps(record))
    write_run(suite / "z")
    assert [(shard["complete"], shard["planned"]) for shard in _status(tmp_path)["shards"]] == [(0, 1), (1, 2)]
    # What a later plan no longer has is not counted.
    _plan(suite)
    assert _status(tmp_path)["missing"] == ["x", "y"]


def test_another_models_runs_are_not_taken_for_those_of_the_submission(
    suite: Path, slurm: Path, tmp_path: Path
) -> None:
    _plan(suite)
    for name in ("x", "y"):
        write_run(suite / name)
    _submit(tmp_path, "slurm", shards=1, MODELS_TO_RUN="c/d")
    assert _status(tmp_path)["shards"] == [{"shard": 0, "state": "running", "planned": None, "complete": None}]


def test_a_suite_that_was_run_here_is_counted(suite: Path, tmp_path: Path) -> None:
    _plan(suite)
    write_run(suite / "x")
    lock = suite / "suite.lock"
    lock.write_text("at work")
    assert _table(tmp_path)[1].split() == ["shard", "0", "running", "1", "2"]
    # Killed at work: the lock is as it was.
    os.utime(lock, (time.time() - 100,) * 2)
    status = _status(tmp_path)
    assert status["shards"] == [{"shard": 0, "state": "ended", "planned": 2, "complete": 1}]
    assert (status["engine"], status["summarize"], status["summarized"]) == (None, None, False)


def test_what_is_on_a_volume_is_not_counted(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A suite of that name that was run here is another one.
    _plan(suite)
    _submit(tmp_path, "kubernetes", shards=1)
    with fake_kubernetes(tmp_path) as cluster:
        for module in ("kubernetes.config", "kubernetes.config.kube_config"):
            monkeypatch.setattr(f"{module}.KUBE_CONFIG_DEFAULT_LOCATION", str(cluster.kubeconfig))
        status = _status(tmp_path)
        assert status["shards"] == [{"shard": 0, "state": "no job", "planned": None, "complete": None}]
        assert _table(tmp_path)[1].split() == ["shard", "0", "no", "job"]


def _submit(output: Path, engine: str, shards: int, **variables: str) -> None:
    jobs = {"run": "12", "summarize": "13"}
    Submission("smoke", engine, "my-suite", shards, variables, (), output, image="i/m", jobs=jobs).write()


def _plan(suite: Path) -> None:
    Journal(suite).write("plan", runs=["x", "y"], models=["a/b"], whole=True)


def _status(output: Path) -> dict[str, Any]:
    done = CliRunner().invoke(verbs, ["status", "--json", "--output", str(output)], catch_exceptions=False)
    return dict(json.loads(done.output))


def _table(output: Path) -> list[str]:
    return CliRunner().invoke(verbs, ["status", "--output", str(output)], catch_exceptions=False).output.splitlines()
