"""ToRR: HELM 0.5.16 scores sampled answers against the wrong rows; the leaderboard's plugin corrects it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.traps.conftest import cut_off, python_of

pytestmark = pytest.mark.helm


@pytest.fixture(scope="module")
def score(catalogue):
    python = python_of(catalogue, "helm-0.5.16-unitxt")

    def run(*arguments: str) -> str:
        script = Path(__file__).with_name("torr_perfect_answers.py")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1"}
        command = [*cut_off(), str(python), str(script), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.splitlines()[-1]

    return run


def test_perfect_answers_score_a_third_with_helm_alone(score):
    assert score() == "accuracy 0.33 of 3 answers"


def test_perfect_answers_score_one_with_the_plugin(score):
    assert score("plugin") == "accuracy 1.00 of 3 answers"


def test_the_leaderboard_loads_the_plugin(catalogue):
    assert catalogue.leaderboards["torr"].plugins == ["helm_repro.inside.plugins.torr_references"]
