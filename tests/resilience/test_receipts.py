"""The receipt tells how the last run stage went, also of one that ended early; a refused start touches no receipt."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helm_repro.inside.suite.journal import Journal
from helm_repro.results.suite_record import read_suite_record
from tests.resilience.conftest import KEY, RUNS, Suite, kill_hard

pytestmark = pytest.mark.helm


def test_a_refusal_by_preflight_takes_the_place_of_an_earlier_success(make_suite, server):
    suite = make_suite("refused")
    code, output = suite.finish(PREFLIGHT="off")
    assert code == 0, output
    assert receipt_of(suite)["exit_code"] == 0
    names = [run["name"] for run in receipt_of(suite)["runs"]]
    (suite.path / names[0] / "stats.json").unlink()
    server.api_key = "another"
    code, output = suite.finish()
    assert code == 4, output

    receipt = receipt_of(suite)
    assert receipt["exit_code"] == 4
    assert (receipt["complete"], receipt["planned"]) == (RUNS - 1, RUNS)
    assert [run["name"] for run in receipt["runs"]] == names[1:]
    reason, *others = receipt["partial"]
    assert reason.startswith("preflight: 1 problem; model openai/test-model: authentication")
    assert others == []
    assert KEY not in json.dumps(receipt)

    before = (suite.path / "receipt.json").read_bytes()
    code, output = suite.finish(MAX_EVAL_INSTANCES="5")
    assert code == 2, output
    assert (suite.path / "receipt.json").read_bytes() == before, "the suite is not that start's"


def test_a_stop_keeps_what_was_finished_by_then(make_suite, server):
    suite = make_suite("stopped")
    process = half_way(suite, server)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    receipt = receipt_of(suite)
    done = {event["run"] for event in events(suite, "done")}
    assert 0 < len(done) < RUNS
    assert (receipt["exit_code"], receipt["complete"], receipt["planned"]) == (143, len(done), RUNS)
    assert receipt["partial"] == ["stopped before its end"]
    assert {run["name"]: run["status"] for run in receipt["runs"]} == dict.fromkeys(done, "complete")
    assert {run["attempts"] for run in receipt["runs"]} == {1}
    assert read_suite_record(suite.path).counts == (len(done), RUNS)


def test_a_helm_that_died_is_in_the_receipt(make_suite, server):
    suite = make_suite("died")
    process = half_way(suite, server)
    (zygote,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(zygote), signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    receipt = receipt_of(suite)
    assert receipt["exit_code"] == 3
    assert receipt["complete"] == len(events(suite, "done")) > 0
    assert receipt["partial"] == ["HELM's process ended with -9 (killed: out of memory?)"]


def half_way(suite: Suite, server: Any) -> Any:
    """Start the suite, and return its process once a run is finished and another waits for answers."""
    server.latency = 0.05
    process = suite.start(PREFLIGHT="off", JOBS="1", NUM_THREADS="1")
    wait_until(lambda: bool(events(suite, "done")))
    server.latency = 30
    wait_until(lambda: server.in_flight > 0)
    if len(events(suite, "done")) == RUNS:
        kill_hard(process)
        pytest.fail("all runs were finished before one could be held up")
    return process


def events(suite: Suite, kind: str) -> list[dict[str, Any]]:
    return [event for event in Journal(suite.path).read() if event["event"] == kind]


def receipt_of(suite: Suite) -> dict[str, Any]:
    receipt: dict[str, Any] = json.loads((suite.path / "receipt.json").read_text())
    return receipt


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
