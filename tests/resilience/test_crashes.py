"""kill -9 at any moment costs at most the requests in flight, and never a wrong number."""

from __future__ import annotations

import json
import random
import time

import pytest

from helm_repro.inside.suite.state import RUN_FILES, examine
from tests.resilience.conftest import RUNS, kill_hard
from tests.support.processes import processes_of
from tests.support.same_results import differences

pytestmark = pytest.mark.helm
KILLS = 20


def test_killed_at_20_random_moments_and_resumed_equals_an_undisturbed_run(make_suite, server):
    calm = make_suite("calm")
    code, output = calm.finish(PREFLIGHT="off")
    assert code == 0, output
    requests = len(server.answered)
    assert server.most_answers_for_one_request == 1

    server.forget()
    server.latency = 0.25
    choose = random.Random(5)
    suite = make_suite("killed")
    in_flight = 0
    for _ in range(KILLS):
        process = suite.start(PREFLIGHT="off", NUM_THREADS="2")
        # Mostly in the middle of the runs, now and then while planning or after the end.
        time.sleep(choose.uniform(1.5, 6))
        in_flight += server.in_flight
        kill_hard(process)
        deadline = time.monotonic() + 10
        while processes_of(suite.data):
            assert time.monotonic() < deadline, "a process outlived kill -9"
            time.sleep(0.05)
    server.latency = 0
    code, output = suite.finish(PREFLIGHT="off")
    assert code == 0, output
    assert differences(calm.path, suite.path) == []
    assert len(server.answered) == requests
    paid_again = sum(count - 1 for count in server.answered.values())
    # An answer may reach the socket in the instant between the count and the kill.
    assert paid_again <= in_flight + 2 * KILLS
    assert paid_again < requests


def test_a_finished_run_with_any_file_cut_is_run_again(make_suite):
    suite = make_suite("cut")
    code, output = suite.finish(PREFLIGHT="off")
    assert code == 0, output
    choose = random.Random(11)
    runs = sorted(path.parent for path in suite.path.glob("*/run_spec.json"))
    assert len(runs) == RUNS
    for _ in range(50):
        file = choose.choice(runs) / choose.choice(RUN_FILES)
        content = file.read_bytes()
        file.write_bytes(content[: choose.randrange(len(content))])
        assert not examine(file.parent).complete
        file.write_bytes(content)
        assert examine(file.parent).complete

    before = {run.name: (run / "stats.json").read_bytes() for run in runs}
    victim = runs[1] / "per_instance_stats.json"
    victim.write_bytes(victim.read_bytes()[:1000])
    code, output = suite.finish("run", "summarize", PREFLIGHT="off")
    assert code == 0, output
    assert "set aside" in output
    assert len(list((suite.data / "benchmark_output/incomplete/my-suite").iterdir())) == 1
    assert set(before) == {path.parent.name for path in suite.path.glob("*/run_spec.json")}


def test_a_killed_suite_is_summarised_as_partial(make_suite, server):
    server.latency = 0.3
    suite = make_suite("partial")
    process = suite.start(PREFLIGHT="off", NUM_THREADS="1", JOBS="1")
    deadline = time.monotonic() + 120
    while not list(suite.path.glob("*/per_instance_stats.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    kill_hard(process)
    server.latency = 0
    code, output = suite.finish("summarize")
    assert code == 3, output
    missing = json.loads((suite.path / "partial.json").read_text())["missing"]
    assert missing
    assert f"{len(missing)} of {RUNS} planned runs are missing" in output
    code, output = suite.finish("run", "summarize", PREFLIGHT="off")
    assert code == 0, output
    assert not (suite.path / "partial.json").exists()


def test_a_second_writer_is_refused_and_a_dead_one_is_not_waited_for(make_suite, server):
    server.latency = 0.5
    suite = make_suite("twice")
    first = suite.start(PREFLIGHT="off")
    deadline = time.monotonic() + 60
    while not server.records:
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.1)
    code, output = suite.finish(PREFLIGHT="off")
    assert code == 2
    assert "SUITE_NAME=my-suite: is being written by process" in output
    code, output = suite.finish(PREFLIGHT="off", SHARD_INDEX="0", SHARD_COUNT="2")
    assert code == 2
    assert "SUITE_NAME=my-suite: is being written by process" in output
    kill_hard(first)
    server.latency = 0
    code, output = suite.finish(PREFLIGHT="off")
    assert code == 0, output
