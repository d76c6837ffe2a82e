"""``run --shards``: several processes on one host give the suite of one process, even if one is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from helm_repro.engines.local import CACHE_VARIABLE
from helm_repro.inside.suite.sharding import division
from tests.cluster.conftest import LIMIT, MODEL, Command, finished_runs, times
from tests.cluster.slurm_cluster import wait_until
from tests.conftest import ROOT, clean_environment
from tests.support.processes import processes_of
from tests.support.same_results import assert_same_results

pytestmark = pytest.mark.helm
_ARGUMENTS = ("run", "smoke", "--engine", "local", "--model", MODEL, "-e", LIMIT)


def test_killing_one_of_four_shards_and_running_again_runs_only_what_is_missing(
    helm_repro: Command, local_cache: Path, unsharded: Path, tmp_path: Path
) -> None:
    suite = tmp_path / "benchmark_output/runs/my-suite"
    arguments = (*_ARGUMENTS, "--shards", "4", "--output", str(tmp_path), "--stages")
    process = subprocess.Popen(
        [str(ROOT / ".venv/bin/helm-repro"), *arguments, "run"],
        env=clean_environment(**{CACHE_VARIABLE: str(local_cache)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    journal = suite / "journal.shard-2-of-4.jsonl"
    wait_until(lambda: journal.exists() and '"start"' in journal.read_text(), 240, "shard 2 runs")
    victims = [pid for pid in processes_of(tmp_path) if b"SHARD_INDEX=2" in _environment(pid)]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 3, output
    assert {line[:7] for line in output.splitlines() if line.startswith("shard ")} == {f"shard {i}" for i in range(4)}
    missing = division(suite).missing
    before = times(suite)
    assert missing
    assert not before.keys() & set(missing)
    done_before = finished_runs(suite)

    helm_repro(*arguments, "run,summarize")
    assert before == {name: time for name, time in times(suite).items() if name in before}
    assert finished_runs(suite) - done_before == set(missing)
    assert not (suite / "partial.json").exists()
    receipt = json.loads((suite / "receipt.json").read_bytes())
    assert (receipt["exit_code"], receipt["shards"]) == (0, 4)
    assert {run["name"] for run in receipt["runs"]} == before.keys() | set(missing)
    assert_same_results(unsharded, suite)


def test_shards_in_folders_of_their_own_are_merged(helm_repro: Command, unsharded: Path, tmp_path: Path) -> None:
    parts = [str(tmp_path / f"part{index}") for index in (0, 1)]
    for index, part in enumerate(parts):
        shard = ("-e", f"SHARD_INDEX={index}", "-e", "SHARD_COUNT=2", "--stages", "run")
        helm_repro(*_ARGUMENTS, *shard, "--output", part)
    joined = tmp_path / "joined"
    half = helm_repro("merge", parts[0], "--output", str(joined), check=False)
    assert half.returncode == 3
    assert half.stdout.count("missing: ") == 10 - int(half.stdout.splitlines()[-1].split()[0])
    whole = helm_repro("merge", *parts, "--output", str(joined))
    assert whole.stdout.endswith(" 0 missing\n")
    assert_same_results(unsharded, joined / "benchmark_output/runs/my-suite")


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
