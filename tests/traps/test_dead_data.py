"""Data that is gone: skipped and named, counted everywhere, and no reason for another exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helm_repro.cli.scores_verb import print_scores
from tests.conftest import entrypoint_with

pytestmark = pytest.mark.helm
OWN_COPY = "scenarios/MATH/data/hendrycks___competition_math"


def test_math_is_unavailable_in_lite_unless_a_copy_is_mounted(plan_board, tmp_path):
    unavailable = [spec for spec in plan_board("lite")["run_specs"] if spec["unavailable"]]
    assert len(unavailable) == 7
    assert all(spec["name"].startswith("math:") for spec in unavailable)
    assert "withdrawn from the Hugging Face hub" in unavailable[0]["unavailable"]
    (tmp_path / "data/benchmark_output" / OWN_COPY).mkdir(parents=True)
    assert not any(spec["unavailable"] for spec in plan_board("lite")["run_specs"])


@pytest.fixture
def gone_since(smoke_board: Path, helm_python: Path, tmp_path: Path):
    """The smoke board, where the data of two of its ten runs is gone since a day."""
    return lambda day: smoke_without_data(smoke_board, helm_python, tmp_path, day)


@pytest.fixture
def gone(gone_since):
    return gone_since(None)


def smoke_without_data(smoke_board: Path, helm_python: Path, tmp_path: Path, day: str | None):
    board = tmp_path / "board"
    board.mkdir()
    for file in smoke_board.iterdir():
        (board / file.name).write_bytes(file.read_bytes())
    record = json.loads((board / "board.json").read_text())
    caveat = {
        "kind": "dead-data",
        "what": "Natural",
        "reason": "withdrawn",
        "skip": True,
        "own_copy": "scenarios/own",
        "since": day,
    }
    record["leaderboard"]["caveats"] = [{**caveat, "entries": ["^synthetic_reasoning_natural:"]}]
    (board / "board.json").write_text(json.dumps(record))
    return entrypoint_with(helm_python, board, tmp_path / "data")


def test_the_rest_runs_and_every_output_says_how_many(gone, tmp_path, capsys):
    variables = {"MODELS_TO_RUN": "simple/model1", "MAX_EVAL_INSTANCES": "2"}
    plan = gone("plan", **variables)
    assert "8 of 10 runs can run" in plan.stdout
    done = gone("run", "summarize", **variables)
    assert done.returncode == 0, done.stderr
    assert "8 of 10 runs complete (2 unavailable upstream" in done.stderr
    line = "unavailable: synthetic_reasoning_natural:model=text,difficulty=easy: Natural: withdrawn"
    assert f"{line} (INCLUDE_UNAVAILABLE=1 tries it)" in done.stderr
    suite = tmp_path / "data/benchmark_output/runs/my-suite"
    receipt = json.loads((suite / "receipt.json").read_text())
    assert (receipt["complete"], receipt["planned"], receipt["exit_code"]) == (8, 10, 0)
    assert receipt["partial"][0] == "2 unavailable upstream"
    print_scores(suite)
    assert "8 of 10 runs; 2 unavailable upstream" in capsys.readouterr().out

    done = gone("run", INCLUDE_UNAVAILABLE="1", **variables)
    assert done.returncode == 0, done.stderr
    assert "10 of 10 runs complete" in done.stderr


def test_an_own_copy_makes_them_available(gone, tmp_path):
    (tmp_path / "data/benchmark_output/scenarios/own").mkdir(parents=True)
    done = gone("plan", MODELS_TO_RUN="simple/model1")
    assert "10 of 10 runs can run" in done.stdout


def test_data_that_will_be_gone_is_a_warning_until_its_day(gone_since):
    done = gone_since("9999-01-01")("plan", MODELS_TO_RUN="simple/model1")
    assert "10 of 10 runs can run" in done.stdout
    assert "\nwarning: from 9999-01-01 on: Natural: withdrawn" in done.stdout
