"""The entrypoint as a user meets it: wrong input, and a real run of the smoke board."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request

import pytest

from helm_repro.results.scores import read_scores
from tests.conftest import ROOT, entrypoint_environment
from tests.support.processes import processes_of


@pytest.mark.parametrize(
    ("words", "variables", "named"),
    [
        (["run"], {}, "MODELS_TO_RUN="),
        (["run"], {"MODELS_TO_RUN": "simple/model1", "NUM_TRAIN_TRIALS": "abc"}, "NUM_TRAIN_TRIALS=abc"),
        (
            ["run"],
            {"MODELS_TO_RUN": "simple/model1", "MAX_EVAL_INSTANCES": "5", "NUM_EVAL_INSTANCES": "6"},
            "MAX_EVAL_INSTANCES=5",
        ),
        (["run"], {"MODELS_TO_RUN": "simple/model1", "SUITE_NAME": "../x"}, "SUITE_NAME=../x"),
        (["run"], {"MODELS_TO_RUN": "simple/model1", "SCHEMA_PATH": "nothing"}, "SCHEMA_PATH=nothing"),
        (["walk"], {"MODELS_TO_RUN": "simple/model1"}, "walk: unknown stage or command"),
        ([], {"MODELS_TO_RUN": "simple/model1", "STAGES": "walk"}, "STAGES=walk"),
        (["plan", "run"], {"MODELS_TO_RUN": "simple/model1"}, "plan run: a command stands alone"),
        (["summarize"], {}, "SUITE_NAME=my-suite: no such suite"),
        (["run"], {"MODELS_TO_RUN": "simple/model1", "DATA_DIR": "/proc/none"}, "DATA_DIR=/proc/none"),
    ],
)
def test_wrong_input_exits_2_with_one_line(entrypoint, words, variables, named):
    done = entrypoint(*words, **variables)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("helm-repro: error " + named)
    assert done.stderr.count("\n") == 1


def test_describe_prints_what_is_baked_in(entrypoint, catalogue):
    record = json.loads(entrypoint("describe", "--json").stdout)
    assert record["leaderboard"]["entries_sha256"] == catalogue.leaderboards["smoke"].entries_sha256
    assert record["exit_codes"]["3"]
    assert "MODELS_TO_RUN" in entrypoint("describe").stdout


@pytest.mark.helm
def test_unknown_model_is_a_configuration_error(helm_entrypoint):
    done = helm_entrypoint("run", MODELS_TO_RUN="simple/model2")
    assert done.returncode == 2
    assert "MODELS_TO_RUN=simple/model2" in done.stderr
    assert "did you mean simple/model1?" in done.stderr


@pytest.mark.helm
def test_plan_prints_nothing_but_json(helm_entrypoint):
    done = helm_entrypoint("plan", "--json", MODELS_TO_RUN="simple/model1")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert set(plan) == {"run_specs", "failed", "left_out"}
    assert len(plan["run_specs"]) == 10
    assert plan["failed"] == plan["left_out"] == []
    assert {spec["run_spec"]["adapter_spec"]["max_eval_instances"] for spec in plan["run_specs"]} == {10}


@pytest.mark.helm
def test_a_failing_entry_and_a_failing_run_leave_the_rest_summarised(helm_entrypoint, tmp_path):
    conf = tmp_path / "some.conf"
    conf.write_text(
        'entries: [{description: "simple_mcqa:model=text", priority: 1}\n'
        '{description: "no_such_scenario:model=text", priority: 1}\n'
        '{description: "dyck_language:model=text,num_parenthesis_pairs=9", priority: 1}]\n'
    )
    done = helm_entrypoint("run", "summarize", MODELS_TO_RUN="simple/model1", RUN_ENTRIES_CONF_PATH=str(conf))
    assert done.returncode == 3, done.stderr
    assert "no_such_scenario" in done.stderr
    scores = read_scores(tmp_path / "data/benchmark_output/runs/my-suite")
    assert [score.run for score in scores] == ["simple_mcqa:model=simple_model1"]


@pytest.mark.helm
def test_smoke_runs_summarises_and_serves_until_sigterm(helm_python, smoke_board, tmp_path):
    data = tmp_path / "data"
    environment = entrypoint_environment(
        smoke_board,
        data,
        {"MODELS_TO_RUN": "simple/model1", "PORT": "18231", "SERVER_HOST": "127.0.0.1", "MAX_EVAL_INSTANCES": "3"},
    )
    command = [str(helm_python), str(ROOT / "entrypoint.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            config = _wait_for("http://127.0.0.1:18231/config.js", process)
            assert 'window.SUITE = "my-suite"' in config
            runs = json.loads(_get("http://127.0.0.1:18231/benchmark_output/runs/my-suite/runs.json"))
            assert len(runs) == 10
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 143
        finally:
            process.kill()
    scores = read_scores(data / "benchmark_output/runs/my-suite")
    assert len({score.run for score in scores}) == 10
    # Limits count all evaluation splits together; a score is of its schema's split alone.
    assert all(score.value is not None and 1 <= (score.instances or 0) <= 3 for score in scores)


@pytest.mark.helm
def test_sigterm_in_the_middle_of_a_run_leaves_no_process_and_can_be_continued(
    helm_python, smoke_board, tmp_path, helm_entrypoint
):
    environment = entrypoint_environment(smoke_board, tmp_path / "data", {"MODELS_TO_RUN": "simple/model1"})
    process = subprocess.Popen(
        [str(helm_python), str(ROOT / "entrypoint.py"), "run"], env=environment, stderr=subprocess.DEVNULL
    )
    journal = tmp_path / "data/benchmark_output/runs/my-suite/journal.jsonl"
    deadline = time.monotonic() + 120
    while not (journal.exists() and '"event": "done"' in journal.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143
    assert processes_of(tmp_path / "data") == []
    finished = {e["run"] for e in map(json.loads, journal.read_text().splitlines()) if e["event"] == "done"}
    assert 0 < len(finished) < 10
    before = {run: (journal.parent / run / "stats.json").stat().st_mtime_ns for run in finished}
    done = helm_entrypoint("run", MODELS_TO_RUN="simple/model1")
    assert done.returncode == 0, done.stderr
    assert before == {run: (journal.parent / run / "stats.json").stat().st_mtime_ns for run in finished}


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return response.read().decode()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 240
    while True:
        try:
            return _get(url)
        except OSError:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.3)
