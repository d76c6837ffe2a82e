"""`helm-repro run` on the local engine, as a user types it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.cli.run_verb import gather_variables, parse_address
from helm_repro.errors import ConfigurationError
from tests.conftest import ROOT, clean_environment

RUNS = [
    "dyck_language_np=2",
    "dyck_language_np=3",
    "dyck_language_np=4",
    "simple_classification",
    "simple_mcqa",
    "synthetic_reasoning:mode=induction",
    "synthetic_reasoning:mode=pattern_match",
    "synthetic_reasoning:mode=variable_substitution",
    "synthetic_reasoning_natural:difficulty=easy",
    "synthetic_reasoning_natural:difficulty=hard",
]


def helm_repro(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / ".venv/bin/helm-repro"), *arguments],
        env=clean_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.mark.helm
def test_smoke_prints_a_score_for_every_run_and_the_files_are_ours(helm_python: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    arguments = ("run", "smoke", "--engine", "local", "--stages", "run,summarize", "--output", str(output))
    done = helm_repro(*arguments, "--model", "simple/model1", "-e", "MAX_EVAL_INSTANCES=4")
    assert done.returncode == 0, done.stdout + done.stderr
    for run in RUNS:
        line = next(line for line in done.stdout.splitlines() if line.lstrip().startswith(run))
        assert re.search(r"\b[01]\.\d{3}\b", line), line
    assert {path.stat().st_uid for path in output.rglob("*")} == {os.getuid()}
    suite = output / "benchmark_output/runs/my-suite"
    state = json.loads((suite / "simple_mcqa:model=simple_model1/scenario_state.json").read_text())
    assert len({item["instance"]["id"] for item in state["request_states"]}) == 4

    again = helm_repro("scores", "--output", str(output), "--json")
    found = json.loads(again.stdout)
    assert (found["suite"], found["complete"], found["planned"]) == ("my-suite", 10, 10)
    assert found["partial"] == ["4 instances instead of 10"]
    assert {score["run"] for score in found["scores"]} == {path.name for path in suite.glob("*:*")}


def test_an_unknown_leaderboard_is_named_with_what_is_allowed() -> None:
    done = helm_repro("run", "smok")
    assert done.returncode == 2
    assert done.stderr.startswith("helm-repro: error LEADERBOARD=smok: unknown leaderboard, allowed: smoke, ")


def test_scores_of_a_suite_that_is_not_there(tmp_path: Path) -> None:
    done = helm_repro("scores", "nothing", "--output", str(tmp_path))
    assert done.returncode == 2
    assert "not a summarised suite" in done.stderr


def test_variables_come_from_environment_then_assignments_then_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIORITY", "3")
    monkeypatch.setenv("SUITE_NAME", "from-environment")
    got = gather_variables(("a/b", "c/d"), ("SUITE_NAME=mine", "EMPTY="))
    assert got["PRIORITY"] == "3"
    assert got["SUITE_NAME"] == "mine"
    assert got["MODELS_TO_RUN"] == "a/b c/d"
    assert got["EMPTY"] == ""


def test_keys_are_read_from_their_files_and_the_files_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("sk-from-file\n")
    for name in ("OPENAI_API_KEY_FILE", "MODEL_API_KEY_FILE"):
        monkeypatch.setenv(name, str(key))
    got = gather_variables((), ())
    assert {name: value for name, value in got.items() if "API_KEY" in name} == {
        "OPENAI_API_KEY": "sk-from-file",
        "MODEL_API_KEY": "sk-from-file",
    }


def test_a_key_given_by_assignment_replaces_either_form(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-from-file")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "gone"))
    assert gather_variables((), ("OPENAI_API_KEY=sk-given",))["OPENAI_API_KEY"] == "sk-given"
    monkeypatch.delenv("OPENAI_API_KEY_FILE")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-inherited")
    assert gather_variables((), (f"OPENAI_API_KEY_FILE={key}",))["OPENAI_API_KEY"] == "sk-from-file"


@pytest.mark.helm
def test_a_key_file_in_the_environment_reaches_the_local_engine(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-file")
    done = helm_repro(
        *("plan", "smoke", "--model", "simple/model1", "--engine", "local", "--output", str(tmp_path / "output")),
        OPENAI_API_KEY_FILE=str(tmp_path / "key"),
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_paths_of_gated_data_are_passed_on(monkeypatch: pytest.MonkeyPatch, catalogue: Catalogue) -> None:
    monkeypatch.setenv("EHRSHOT_PATH", "/data/ehrshot")
    assert gather_variables((), (), catalogue.leaderboards["medhelm-gated"])["EHRSHOT_PATH"] == "/data/ehrshot"
    assert "EHRSHOT_PATH" not in gather_variables((), (), catalogue.leaderboards["smoke"])


@pytest.mark.parametrize("assignment", ["NAME", "=x", "A B=c"])
def test_a_wrong_assignment_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigurationError, match="must be NAME=VALUE"):
        gather_variables((), (assignment,))


@pytest.mark.parametrize("address", ["8000", "localhost:", "x:99999", ":80"])
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="--publish"):
        parse_address(address)


def test_addresses_of_both_families() -> None:
    assert parse_address("127.0.0.1:80") == ("127.0.0.1", 80)
    assert parse_address("[::1]:80") == ("::1", 80)
