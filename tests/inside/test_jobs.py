"""JOBS=auto, and the order in which run specs are dealt out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment

pytestmark = pytest.mark.helm


@pytest.fixture(scope="module")
def found(helm_python: Path):
    script = Path(__file__).with_name("jobs_script.py")
    environment = clean_environment(PYTHONPATH=str(ROOT))
    done = subprocess.run([helm_python, script], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_two_processes_per_cpu_at_most_four_and_never_more_than_runs(found):
    chosen = found["chosen"]
    assert [chosen[cpus] for cpus in ("1", "2", "8")] == [2, 4, 4]
    assert chosen["asked"] == 7
    assert chosen["fewer runs"] == 3


def test_a_model_computed_here_is_loaded_once(found):
    assert {found["chosen"][f"{cpus}, local"] for cpus in (1, 2, 8)} == {1}


def test_a_judge_computed_here_is_loaded_once(found):
    local, hosted = "huggingface/gpt2", "openai/gpt-4o-2024-05-13"
    assert found["judges"] == {
        "hosted": [[hosted], 4],
        "by another": [[hosted], 4],
        "here": [[local, hosted], 1],
        "here, not asked": [[], 4],
        "here, by a metric": [[local], 1],
        "unknown": [[], 4],
        "jury": [[hosted], 4],
        "jury here": [[local], 1],
        "jury replaced": [[local], 1],
    }


def test_the_run_spec_with_most_requests_goes_first(found):
    assert found["order"] == ["perturbed", "large", "trials", "small", "as small"]
