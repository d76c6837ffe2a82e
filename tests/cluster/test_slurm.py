"""A leaderboard on a real Slurm: the same results as on one machine, through kills and cancellations."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import LIMIT, MODEL, Command, events, finished_runs, parse, times
from tests.cluster.slurm_cluster import NODES, SlurmCluster, wait_until
from tests.support.processes import processes_of
from tests.support.same_results import assert_same_results

pytestmark = pytest.mark.helm
_SECRET = "sk-a-secret-that-nobody-may-see"


class _Suite:
    """The smoke board submitted to the tests' Slurm."""

    def __init__(self, helm_repro: Command, slurm: SlurmCluster, output: Path):
        self._helm_repro = helm_repro
        self._slurm = slurm
        self.output = output
        self.path = output / "benchmark_output/runs/my-suite"

    def submit(self, shards: int, *arguments: str) -> None:
        common = ("smoke", "--engine", "slurm", "--shards", str(shards), "--model", MODEL, "-e", LIMIT)
        self("submit", *common, *arguments)

    def __call__(self, *arguments: str, check: bool = True) -> Any:
        variables = {**self._slurm.environment, "OPENAI_API_KEY": _SECRET}
        return self._helm_repro(*arguments, "--output", str(self.output), check=check, **variables)

    def status(self) -> dict[str, Any]:
        return dict(parse(self("status", "--json")))

    def jobs_left(self) -> str:
        return self._slurm.command("squeue", "--noheader", "--array", "--format=%i %T %r")

    def wait_for_the_end(self) -> None:
        wait_until(lambda: not self.jobs_left(), 240, f"all jobs end; left: {self.jobs_left()}")


@pytest.fixture
def suite(helm_repro: Command, slurm: SlurmCluster, tmp_path: Path) -> _Suite:
    return _Suite(helm_repro, slurm, tmp_path)


def test_four_shards_of_which_one_is_killed_and_resumed_equal_one_machine(suite: _Suite, unsharded: Path) -> None:
    suite.submit(4)
    assert "is submitted already" in suite("submit", "smoke", "--engine", "slurm", "--model", MODEL, check=False).stderr
    journal = suite.path / "journal.shard-1-of-4.jsonl"
    wait_until(lambda: journal.exists() and '"start"' in journal.read_text(), 180, "shard 1 runs")
    for pid in processes_of(suite.output):
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if Path(f"/proc/{pid}").exists() else []
        assert _SECRET.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"SHARD_INDEX=1" in variables:
            os.kill(pid, signal.SIGKILL)
    suite.wait_for_the_end()

    status = suite.status()
    assert [shard["complete"] < shard["planned"] for shard in status["shards"]] == [False, True, False, False]
    assert status["summarized"]
    assert (suite.path / "partial.json").exists()
    assert "partial" in suite("logs", "my-suite", "summarize").stdout
    before = times(suite.path)

    assert suite("resume").stdout == "submitted my-suite again: shards 1 and summarize\n"
    suite.wait_for_the_end()
    assert suite.status()["missing"] == []
    assert not (suite.path / "partial.json").exists()
    assert before == {name: time for name, time in times(suite.path).items() if name in before}
    assert_same_results(unsharded, suite.path)
    assert suite("resume").stdout == "my-suite: nothing is missing\n"
    texts = [path.read_bytes() for path in suite.output.rglob("*") if path.is_file()]
    assert not any(_SECRET.encode() in text for text in texts)


def test_a_suite_whose_node_dies_is_completed_by_resume(suite: _Suite, slurm: SlurmCluster, unsharded: Path) -> None:
    suite.submit(2, "--option=--no-requeue")
    wait_until(lambda: len(finished_runs(suite.path)) > 1, 180, "runs are finished")
    # The first may have done all of its runs by now.
    task = next(line.split()[0] for line in suite.jobs_left().splitlines() if "RUNNING" in line)
    shard = int(task.partition("_")[2])
    dead = slurm.node_of(task)
    assert dead in NODES
    slurm.kill_node(dead)
    suite.wait_for_the_end()
    assert suite.status()["shards"][shard]["complete"] < suite.status()["shards"][shard]["planned"]
    before = times(suite.path)
    slurm.start_node(dead)
    assert f"shards {shard} and summarize" in suite("resume").stdout
    suite.wait_for_the_end()
    assert suite.status()["missing"] == []
    assert before == {name: time for name, time in times(suite.path).items() if name in before}
    assert_same_results(unsharded, suite.path)


def test_cancel_leaves_no_process(suite: _Suite) -> None:
    suite.submit(2)
    wait_until(lambda: events(suite.path, "start"), 180, "a run starts")
    suite("cancel")
    assert suite.jobs_left() == ""
    wait_until(lambda: not processes_of(suite.output), 5, "no process is left")
    assert {shard["state"] for shard in suite.status()["shards"]} == {"ended"}
