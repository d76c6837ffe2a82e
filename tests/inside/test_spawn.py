"""HELM's process may be started before settings are read, and it makes no difference."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from helm_repro.inside.process import spawn
from tests.conftest import ROOT, Entrypoint, entrypoint_environment

IMPORTS = f"""
import sys, {spawn.FIRST}
print(*sys.modules.keys() & {"datasets", "huggingface_hub", "nltk", "tiktoken", "torch", "transformers"})
"""
CONF = 'entries: [{description: "simple_mcqa:model=text", priority: 1}]\n'


@pytest.mark.helm
def test_what_is_imported_early_reads_no_settings(helm_python: Path) -> None:
    done = subprocess.run([str(helm_python), "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("words", "variables", "cpus", "early"),
    [
        ([], {}, 2, True),
        (["run", "summarize"], {}, 2, True),
        (["preflight"], {"OFFLINE": "0"}, 2, True),
        ([], {"STAGES": "run,summarize"}, 2, True),
        ([], {}, 1, False),
        ([], {"STAGES": "summarize"}, 2, False),
        (["summarize", "server"], {}, 2, False),
        (["describe"], {}, 2, False),
        # The guard against connections has to be there first.
        ([], {"OFFLINE": "1"}, 2, False),
    ],
)
def test_only_what_will_run_is_started_early(
    monkeypatch: pytest.MonkeyPatch, words: list[str], variables: dict[str, str], cpus: int, early: bool
) -> None:
    monkeypatch.setattr(spawn, "usable_cpus", lambda: cpus)
    monkeypatch.setattr(spawn, "_early", [])
    monkeypatch.setattr(spawn, "FIRST", "json")
    spawn.spawn_early(words, variables)
    started = [process for process, *_ in spawn._early]
    assert len(started) == early
    spawn.discard()
    assert [process.returncode for process in started] == [-signal.SIGKILL] * early


@pytest.mark.helm
@pytest.mark.parametrize("cpus", ["one", "all"])
def test_a_suite_runs_on_one_cpu_and_on_all(helm_python: Path, smoke_board: Path, tmp_path: Path, cpus: str) -> None:
    (tmp_path / "mine.conf").write_text(CONF)
    variables = {"MODELS_TO_RUN": "simple/model1", "RUN_ENTRIES_CONF_PATH": str(tmp_path / "mine.conf")}
    affinity = os.sched_getaffinity(0)
    prefix = ["taskset", "--cpu-list", str(min(affinity))] if cpus == "one" else []
    done = subprocess.run(
        [*prefix, str(helm_python), str(ROOT / "entrypoint.py"), "run"],
        env=entrypoint_environment(smoke_board, tmp_path / "data", variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "result 1 of 1 runs complete" in done.stdout + done.stderr


def test_a_python_without_helm_is_said_once(entrypoint: Entrypoint, tmp_path: Path) -> None:
    done = entrypoint("run", MODELS_TO_RUN="simple/model1")
    assert done.returncode == 3
    assert done.stderr.count("Traceback") == 1
    assert "No module named 'helm'" in done.stderr
    assert done.stderr.splitlines()[-1] == "helm-repro: error HELM's process ended with 1"


@pytest.mark.helm
def test_a_run_that_only_looked_complete_is_guarded_too(helm_entrypoint: Entrypoint, tmp_path: Path) -> None:
    (tmp_path / "mine.conf").write_text(CONF)
    variables = {"MODELS_TO_RUN": "simple/model1", "RUN_ENTRIES_CONF_PATH": str(tmp_path / "mine.conf"), "OFFLINE": "1"}
    refused = "OFFLINE=1 forbids"
    assert refused in helm_entrypoint("run", **variables).stderr
    (state,) = (tmp_path / "data/benchmark_output/runs/my-suite").glob("simple_mcqa*/scenario_state.json")
    state.write_text(state.read_text()[:-10])
    again = helm_entrypoint("run", **variables)
    assert "set aside" in again.stderr
    assert refused in again.stderr
    assert again.returncode == 0


@pytest.mark.helm
def test_nothing_is_left_of_a_start_that_was_refused(helm_python: Path, smoke_board: Path, tmp_path: Path) -> None:
    variables = {"MODELS_TO_RUN": "simple/model1", "STAGES": "run,sumarize"}
    # Nobody else holds this pipe, so reading it to its end is waiting for all that were started.
    with subprocess.Popen(
        [str(helm_python), str(ROOT / "entrypoint.py")],
        env=entrypoint_environment(smoke_board, tmp_path / "data", variables),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.read().splitlines() == [
            "helm-repro: error STAGES=sumarize: unknown stage, allowed: run, summarize, server"
        ]
        assert process.wait() == 2
