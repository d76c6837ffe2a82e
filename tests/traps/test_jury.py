"""MedHELM's jury: HELM grades an answer 1 when no judge could be asked; here that run fails instead."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.helm


@pytest.fixture(scope="module")
def judged(helm_python):
    def run(*arguments: str) -> str:
        script = Path(__file__).with_name("jury_without_judges.py")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        done = subprocess.run(
            [str(helm_python), str(script), *arguments], env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.splitlines()[-1]

    return run


def test_helm_alone_writes_the_lowest_grade(judged):
    assert judged("failing") == "score 1.0"


def test_with_the_plugin_the_run_fails_and_names_the_judges(judged):
    error = judged("failing", "plugin")
    assert error.startswith("JudgesUnreachableError: no judge could be asked: site/gpt: 503; site/llama: 503")


@pytest.mark.parametrize(("behaviour", "score"), [("one", "score 5.0"), ("unreadable", "score 1.0")])
def test_judges_that_answer_are_left_to_helm(judged, behaviour, score):
    assert judged(behaviour) == judged(behaviour, "plugin") == score


@pytest.mark.parametrize("board_id", ["medhelm-public", "medhelm-gated", "medhelm-private"])
def test_the_leaderboards_load_the_plugin(catalogue, board_id):
    assert catalogue.leaderboards[board_id].plugins == ["helm_repro.inside.plugins.jury_must_answer"]
