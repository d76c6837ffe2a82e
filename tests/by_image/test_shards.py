"""``run --shards`` on Docker: containers that share a suite give what one container gives."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment
from tests.support.same_results import assert_same_results

pytestmark = pytest.mark.docker
SUITE = "benchmark_output/runs/my-suite"


def run(output: Path, *options: str) -> str:
    done = subprocess.run(
        [
            *(str(ROOT / ".venv/bin/helm-repro"), "run", "smoke", "--engine", "docker", "--model", "simple/model1"),
            *("--stages", "run,summarize", "--output", str(output), "-e", "MAX_EVAL_INSTANCES=2", *options),
        ],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def test_two_containers_share_a_suite(smoke_image: str, tmp_path: Path, client) -> None:
    run(tmp_path / "one")
    output = run(tmp_path / "two", "--shards", "2")
    assert {line[:7] for line in output.splitlines() if line.startswith("shard ")} == {"shard 0", "shard 1"}
    receipt = json.loads((tmp_path / "two" / SUITE / "receipt.json").read_bytes())
    assert (receipt["exit_code"], receipt["shards"]) == (0, 2)
    assert_same_results(tmp_path / "one" / SUITE, tmp_path / "two" / SUITE)
    assert not client.containers.list(all=True, filters={"label": "helm-repro.leaderboard=smoke"})
