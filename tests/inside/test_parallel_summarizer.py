"""The summariser writes what HELM's own does, and no run's page twice without need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Entrypoint, clean_environment

pytestmark = pytest.mark.helm
PAGE = "display_predictions.json"
LIMITS = {"MODELS_TO_RUN": "simple/model1", "MAX_EVAL_INSTANCES": "3"}


@pytest.fixture
def suite(helm_entrypoint: Entrypoint, tmp_path: Path) -> Path:
    done = helm_entrypoint(**LIMITS, STAGES="run,summarize", SUITE_NAME="suite")
    assert done.returncode == 0, done.stderr[-3000:]
    return tmp_path / "data" / "benchmark_output" / "runs" / "suite"


def pages(suite: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in suite.glob(f"*/{PAGE}")}


def test_everything_is_as_helm_writes_it(suite, smoke_board, helm_python, tmp_path):
    ours = tmp_path / "ours"
    shutil.copytree(suite, ours)
    for path in [*suite.glob("*/display_*.json"), *suite.glob("*.json"), *suite.glob("groups/**/*.json")]:
        if path.name not in ("suite.json", "receipt.json", "plan.json"):
            path.unlink()
    subprocess.run(
        [
            *(str(helm_python.parent / "helm-summarize"), "--suite", "suite"),
            *("--schema-path", str(next(smoke_board.glob("schema_*.yaml")))),
            *("--output-path", str(suite.parents[1])),
        ],
        cwd=tmp_path / "data",
        # As in our process: it decides the order of sets in tables.
        env=clean_environment(PYTHONHASHSEED="0"),
        check=True,
        capture_output=True,
    )
    files = {path.relative_to(ours) for path in ours.rglob("*.json")}
    assert len([path for path in files if path.name == PAGE]) == 10
    for path in files:
        # Tables state the runs' times, which are the same runs here, so every byte is equal.
        assert (suite / path).read_bytes() == (ours / path).read_bytes(), path


def test_pages_are_written_again_only_where_something_changed(suite, helm_entrypoint, smoke_board, tmp_path):
    before = pages(suite)
    again = {**LIMITS, "STAGES": "summarize", "SUITE_NAME": "suite"}
    assert helm_entrypoint(**again).returncode == 0
    assert pages(suite) == before

    changed = sorted(before)[0]
    os.utime(suite / changed / "per_instance_stats.json")
    assert helm_entrypoint(**again).returncode == 0
    assert {name for name, time in pages(suite).items() if time != before[name]} == {changed}

    schema = tmp_path / "schema.yaml"
    text = next(smoke_board.glob("schema_*.yaml")).read_text()
    schema.write_text(text.replace("description: ", "description: Another ", 1))
    assert schema.read_text() != text
    assert helm_entrypoint(**again, SCHEMA_PATH=str(schema)).returncode == 0
    assert all(time != before[name] for name, time in pages(suite).items())


def test_a_page_that_cannot_be_written_is_an_error(suite, helm_entrypoint):
    for run in sorted(pages(suite))[:3]:
        (suite / run / "scenario_state.json").touch()
    (suite / run / PAGE).unlink()
    (suite / run / PAGE).mkdir()
    done = helm_entrypoint(**LIMITS, STAGES="summarize", SUITE_NAME="suite")
    assert done.returncode != 0
    assert "IsADirectoryError" in done.stderr
    assert "ended with 1; the reason is above" in done.stderr
