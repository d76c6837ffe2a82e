"""The parallel runner with HELM, against a server that counts: equal results, nothing paid twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.workloads import Workload, exams
from helm_repro.inside.failures import classify_event
from helm_repro.inside.running.stages import RUNNER
from helm_repro.inside.suite.journal import Journal
from tests.support.helm_config import IMPATIENT, write_model
from tests.support.openai_server import Failures, OpenAIServer
from tests.support.suites import comparable

pytestmark = pytest.mark.helm
ROOT = Path(__file__).parents[2]
GENERATED = (
    "synthetic_reasoning_natural:model=text,difficulty=easy",
    "dyck_language:model=text,num_parenthesis_pairs=2",
)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


class Directory:
    """A working directory of HELM with a workload and a model served by the test server."""

    def __init__(self, path: Path, python: Path, server: OpenAIServer, workload: Workload):
        self.path = path
        self.python = python
        self.workload = workload
        self.conf = workload.prepare(path)
        self.suite = path / "benchmark_output" / "runs" / "suite"
        write_model(path / "prod_env", server.base_url)

    def command(self, threads: int) -> list[str]:
        code = "import sys; from helm.benchmark.run import main; sys.exit(main())"
        return [
            *(str(self.python), "-c", code, "--conf-paths", str(self.conf), "--suite", "suite"),
            *("--max-eval-instances", str(self.workload.instances), "--num-train-trials", "1"),
            *("--models-to-run", "test/model", "--num-threads", str(threads), "--skip-completed-runs"),
        ]

    def start(self, jobs: int, threads: int, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                [*self.command(threads), "--runner-class-name", RUNNER],
                env={**os.environ, "PYTHONPATH": str(ROOT), "JOBS": str(jobs)},
                cwd=self.path,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def run(self, jobs: int, threads: int = 16) -> tuple[int, str]:
        log = self.path / "log"
        status = self.start(jobs, threads, log).wait(300)
        text = log.read_text(encoding="utf-8", errors="replace")
        assert "database is locked" not in text
        return status, text

    def run_plain(self, threads: int = 16) -> int:
        done = subprocess.run(self.command(threads), cwd=self.path, capture_output=True, timeout=300)
        return done.returncode

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in Journal(self.suite).read() if event["event"] == kind]


@pytest.fixture
def directory(tmp_path: Path, helm_python: Path, server: OpenAIServer) -> Directory:
    return Directory(tmp_path / "ours", helm_python, server, exams(4, 12))


def with_generated(workload: Workload) -> Workload:
    return Workload(workload.name, "", [*workload.entries, *GENERATED], workload.instances, workload.subjects)


def test_results_equal_the_serial_runners(tmp_path: Path, helm_python: Path, server: OpenAIServer) -> None:
    workload = with_generated(exams(4, 12))
    plain = Directory(tmp_path / "plain", helm_python, server, workload)
    assert plain.run_plain() == 0
    expected = comparable(plain.suite)
    assert len(expected) == 6
    for jobs in (1, 2, 4):
        ours = Directory(tmp_path / f"ours{jobs}", helm_python, server, workload)
        assert ours.run(jobs)[0] == 0
        assert comparable(ours.suite) == expected, f"JOBS={jobs}"
        done = {event["run"]: event for event in ours.events("done")}
        assert set(done) == set(expected)
        assert {event["requests"] for event in done.values()} == {12}


def test_equal_requests_at_once_are_sent_once(tmp_path: Path, helm_python: Path, server: OpenAIServer) -> None:
    """Two run specs that differ in name only, questions repeated within each, 64 requests in flight."""
    server.latency = 0.3
    workload = exams(1, 40)
    entry = workload.entries[0]
    # Five is the number of examples anyway (get_mmlu_spec, helm/benchmark/run_specs/lite_run_specs.py).
    workload = Workload("same", "", [entry, f"{entry},max_train_instances=5"], 80, workload.subjects)
    directory = Directory(tmp_path, helm_python, server, workload)
    exam = tmp_path / "benchmark_output/scenarios/mmlu/data/test/subject_000_test.csv"
    half = exam.read_text().splitlines()[:40]
    exam.write_text("\n".join([*half, *half]) + "\n")
    status, _ = directory.run(jobs=4, threads=64)
    assert status == 0
    assert len(comparable(directory.suite)) == 2
    assert server.most_answers_for_one_request == 1
    assert len(server.answered) == 40


def test_threads_are_the_requests_in_flight_of_all_processes(directory: Directory, server: OpenAIServer) -> None:
    server.latency = 0.5
    status, _ = directory.run(jobs=4, threads=6)
    assert status == 0
    assert server.most_in_flight == 6


def test_a_broken_run_fails_alone(directory: Directory, server: OpenAIServer) -> None:
    exam = directory.path / "benchmark_output/scenarios/mmlu/data/test/subject_001_test.csv"
    exam.write_text("question,a,b,c,d,Z\n")
    status, _ = directory.run(jobs=2)
    assert status == 1
    (failure,) = directory.events("fail")
    assert "subject_001" in failure["run"]
    assert failure["cause"] == "KeyError: 'Z'"
    assert len(directory.events("done")) == 3


def test_what_a_prompt_says_decides_nothing(directory: Directory, server: OpenAIServer) -> None:
    """A rate limit is no refused key, which would end the other runs."""
    write_model(directory.path / "prod_env", server.base_url, client=IMPATIENT)
    for exam in directory.path.glob("benchmark_output/scenarios/mmlu/data/dev/*.csv"):
        exam.write_text(exam.read_text().replace(" ", " unauthorized 401 ", 1))
    server.failures = Failures(fraction={"429": 1.0}, retry_after=0)
    status, log = directory.run(jobs=1)
    assert status == 1
    assert "unauthorized 401" in log, "the prompts did not say so"
    failed = directory.events("fail")
    assert [classify_event(event).name for event in failed] == ["rate limit"] * 4
    assert [event["run"] for event in failed if "not started" in event["cause"]] == []


def test_a_killed_worker_costs_its_run_only(directory: Directory, server: OpenAIServer) -> None:
    server.latency = 2
    process = directory.start(jobs=2, threads=4, log=directory.path / "log")
    wait_until(lambda: server.in_flight == 4)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    server.latency = 0
    assert process.wait(200) == 1
    (failure,) = directory.events("fail")
    assert "killed by signal 9" in failure["cause"]
    assert len(directory.events("done")) == 3
    assert directory.run(jobs=2)[0] == 0
    assert len(comparable(directory.suite)) == 4


def test_after_kill_9_nothing_answered_is_asked_again(directory: Directory, server: OpenAIServer) -> None:
    server.latency = 0.2
    process = directory.start(jobs=4, threads=8, log=directory.path / "log")
    wait_until(lambda: len(server.answered) > 20)
    workers = workers_of(process.pid)
    in_flight = 8
    process.kill()
    process.wait()
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    wait_until(lambda: server.in_flight == 0)
    before = Counter(server.answered)
    server.latency = 0
    assert directory.run(jobs=2)[0] == 0
    again = [key for key, count in server.answered.items() if before[key] and count > before[key]]
    assert len(again) <= in_flight, "only what was in flight may be asked again"
    assert server.most_answers_for_one_request <= 2


def test_sigterm_ends_everything(directory: Directory, server: OpenAIServer) -> None:
    server.latency = 60
    process = directory.start(jobs=2, threads=4, log=directory.path / "log")
    wait_until(lambda: server.in_flight == 4)
    workers = workers_of(process.pid)
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert directory.events("fail") == []


def test_plain_helm_and_ours_share_the_cache(directory: Directory, server: OpenAIServer) -> None:
    assert directory.run(jobs=2)[0] == 0
    directory.suite.rename(directory.path / "first")
    assert directory.run_plain(threads=32) == 0
    directory.suite.rename(directory.path / "second")
    assert directory.run(jobs=4)[0] == 0
    assert sum(server.sent.values()) == 48


def test_failed_requests_are_retried_but_never_answered_twice(directory: Directory, server: OpenAIServer) -> None:
    # One reset per request: the OpenAI client tries again by itself.
    server.failures = Failures(first=["500"])
    assert directory.run(jobs=4, threads=32)[0] == 0
    assert server.most_answers_for_one_request == 1


def workers_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
