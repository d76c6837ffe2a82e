"""What was planned is compared with what is complete, with and without shards; what is not known is not said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from helm_repro.inside.inputs.settings import Settings, read_settings
from helm_repro.inside.suite.gaps import find_gaps, mark_before_summary, planned_runs
from helm_repro.inside.suite.journal import Journal
from helm_repro.results.suite_record import read_suite_record
from tests.support.runs import write_run

Summarize = Callable[..., bool]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "benchmark_output/runs/my-suite"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def summarizing(board, tmp_path: Path) -> Callable[..., Settings]:
    return lambda **variables: read_settings({"DATA_DIR": str(tmp_path), **variables}, board, ["summarize"])


def test_a_suite_that_was_killed_is_marked_until_it_is_complete(suite: Path, summarizing, capfd) -> None:
    _plan(suite, ["m/a"], "x", "y", "z")
    write_run(suite / "y")
    assert not mark_before_summary(summarizing())
    assert capfd.readouterr().err == "helm-repro: partial 2 of 3 planned runs are missing; the first is x\n"
    assert json.loads((suite / "partial.json").read_bytes()) == {"planned": 3, "missing": ["x", "z"]}
    assert read_suite_record(suite).partial == ("2 of 3 planned runs have no result",)
    write_run(suite / "x")
    assert mark_before_summary(summarizing(), complete=["z"])
    assert not (suite / "partial.json").exists()


def test_a_run_that_is_cut_short_is_missing(suite: Path) -> None:
    _plan(suite, ["m/a"], "x")
    write_run(suite / "x")
    (suite / "x/stats.json").write_text("[{")
    assert find_gaps(suite).missing == ["x"]


def test_every_model_counts(suite: Path) -> None:
    _plan(suite, ["m/a"], "a")
    _plan(suite, ["m/b"], "b")
    write_run(suite / "b")
    assert find_gaps(suite).missing == ["a"]


def test_runs_withdrawn_from_the_plan_are_not_missed(suite: Path) -> None:
    _plan(suite, ["m/a", "m/b"], "a", "a2", "b", "b2")
    _plan(suite, ["m/a"], "a")
    assert planned_runs(suite) == ["a", "a2", "b", "b2"], "of b nothing was withdrawn, and a plan is one"
    _plan(suite, ["m/b"], "b")
    assert planned_runs(suite) == ["a", "b"]
    assert read_suite_record(suite).planned == ("a", "b")


def test_a_plan_with_entries_that_failed_withdraws_nothing(suite: Path) -> None:
    _plan(suite, ["m/a"], "x", "y")
    _plan(suite, ["m/a"], "x", whole=False)
    assert planned_runs(suite) == ["x", "y"]


def test_shards_that_left_no_journal_are_known_by_their_division(suite: Path) -> None:
    _divide(suite, ["m/a"], {"x": 0, "y": 1})
    _plan(suite, ["m/a"], "x", whole=False)
    write_run(suite / "x")
    assert find_gaps(suite).missing == ["y"]
    assert read_suite_record(suite).partial == ("1 of 2 planned runs have no result",)


def test_a_model_whose_shards_all_died_before_they_divided_is_named(suite: Path, summarizing) -> None:
    _divide(suite, ["m/a"], {"x": 0})
    write_run(suite / "x")
    (suite / "suite.json").write_text(json.dumps({"identity": {}, "models": ["m/a", "m/b"]}))
    assert not mark_before_summary(summarizing(MODELS_TO_RUN="m/c"))
    assert json.loads((suite / "partial.json").read_bytes()) == {
        "planned": 1,
        "missing": [],
        "models": ["m/b", "m/c"],
    }
    assert read_suite_record(suite).partial == ("nothing was planned for m/b",)
    _plan(suite, ["m/b", "m/c"], "x")
    assert mark_before_summary(summarizing(MODELS_TO_RUN="m/c"))


def test_nothing_is_said_of_a_suite_without_records(suite: Path, summarizing) -> None:
    write_run(suite / "x")
    (suite / "half").mkdir()
    assert mark_before_summary(summarizing(MODELS_TO_RUN="m/a"))
    assert not (suite / "partial.json").exists()


def test_records_that_do_not_name_models_withdraw_nothing_and_accuse_none(suite: Path) -> None:
    Journal(suite).write("plan", runs=["x"])
    Journal(suite).write("plan", runs=["y"])
    (suite / "suite.json").write_text(json.dumps({"identity": {}, "models": ["m/a"]}))
    assert (find_gaps(suite, ["m/b"]).missing, find_gaps(suite, ["m/b"]).models) == (["x", "y"], [])


def _plan(suite: Path, models: list[str], *runs: str, whole: bool = True) -> None:
    Journal(suite).write("plan", runs=runs, models=models, whole=whole)


def _divide(suite: Path, models: list[str], runs: dict[str, int]) -> None:
    record = {"shards": 2, "time": 1.0, "models": models, "whole": True, "runs": runs}
    (suite / "division-of-2-abc.json").write_text(json.dumps(record))
