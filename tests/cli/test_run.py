"""`helm-repro run`: the suite that is shown, and exit codes that stay the entrypoint's."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import threading
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment

ENTRIES = """entries: [
  {description: "simple_mcqa:model=text", priority: 1}
  {description: "simple_classification:model=text", priority: 1}
]
"""
# Those that would make a part of every run here.
_SCHEDULERS = ("SLURM_", "AWS_BATCH_", "JOB_COMPLETION_")


class Command:
    """`helm-repro run smoke` on the local engine, with two short runs."""

    def __init__(self, folder: Path):
        self.output = folder / "output"
        self.runs = self.output / "benchmark_output" / "runs"
        self._conf = folder / "entries.conf"
        self._conf.write_text(ENTRIES)

    def start(
        self, *arguments: str, terminal: bool = False, **variables: str
    ) -> tuple[subprocess.CompletedProcess[str], str]:
        """Run it; returns the process and what it wrote to standard error, which may be a terminal."""
        read, end = pty.openpty() if terminal else os.pipe()
        chunks: list[bytes] = []
        reader = threading.Thread(target=_drain, args=(read, chunks))
        reader.start()
        inherited = {k: v for k, v in clean_environment().items() if not k.startswith(_SCHEDULERS)}
        try:
            done = subprocess.run(
                [
                    *(str(ROOT / ".venv/bin/helm-repro"), "run", "smoke", "--engine", "local"),
                    *("--model", "simple/model1", "--output", str(self.output)),
                    *("-e", f"RUN_ENTRIES_CONF_PATH={self._conf}", *arguments),
                ],
                env={**inherited, "TERM": "xterm", "COLUMNS": "200", **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=end,
                text=True,
                timeout=600,
            )
        finally:
            os.close(end)
            reader.join()
        return done, b"".join(chunks).decode(errors="replace")


def _drain(descriptor: int, chunks: list[bytes]) -> None:
    try:
        while chunk := os.read(descriptor, 65536):
            chunks.append(chunk)
    except OSError:  # how a terminal ends
        pass
    finally:
        os.close(descriptor)


@pytest.fixture
def run(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.mark.helm
def test_a_new_suite_is_watched_and_shown_instead_of_the_old(helm_python: Path, run: Command) -> None:
    stages = ("--stages", "run,summarize")
    first, errors = run.start(*stages, "-e", "MAX_EVAL_INSTANCES=2")
    assert first.returncode == 0, errors
    assert "written to" not in errors
    again, shown = run.start(*stages, "-e", "MAX_EVAL_INSTANCES=3", "-e", "RESUME=new-suite", terminal=True)
    assert again.returncode == 0, shown
    rows = [line.split() for line in again.stdout.splitlines() if line.lstrip().startswith("simple_")]
    assert [row[-1] for row in rows] == ["3", "3"]
    assert "2/2" in shown, "the progress of the new suite's runs"
    assert f"written to {run.runs / 'my-suite-2'}" in shown
    assert len(list((run.runs / "my-suite-2").glob("*/stats.json"))) == 2


@pytest.mark.helm
@pytest.mark.parametrize(
    "variables",
    [
        {"SHARD_INDEX": "1", "SHARD_COUNT": "2"},
        {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_COUNT": "2"},
    ],
    ids=["shard", "array job"],
)
def test_a_part_only_runs_and_that_is_no_failure(helm_python: Path, run: Command, variables: dict[str, str]) -> None:
    done, errors = run.start("-e", "MAX_EVAL_INSTANCES=2", **variables)
    assert done.returncode == 0, done.stdout + errors
    assert errors == "helm-repro: engine local\n"
    receipt = json.loads((run.runs / "my-suite/receipt.shard-1-of-2.json").read_bytes())
    # A container has only what is passed on.
    passed_on = {name: receipt["variables"].get(name) for name in ("SHARD_INDEX", "SHARD_COUNT")}
    assert passed_on == {"SHARD_INDEX": "1", "SHARD_COUNT": "2"}


def test_a_shard_that_is_not_whole_is_refused_before_anything(run: Command) -> None:
    done, errors = run.start(SHARD_INDEX="1")
    assert done.returncode == 2
    assert errors == "helm-repro: error SHARD_COUNT=: must be set, because SHARD_INDEX=1 is\n"
    assert not run.output.exists()


@pytest.mark.helm
def test_the_exit_code_stays_that_of_a_failed_summary(helm_python: Path, run: Command, tmp_path: Path) -> None:
    schema = tmp_path / "broken.yaml"
    schema.write_text("run_groups: nothing\n")
    arguments = ("--stages", "run,summarize", "-e", "MAX_EVAL_INSTANCES=2", "-e", f"SCHEMA_PATH={schema}")
    done, errors = run.start(*arguments)
    assert "helm-summarize ended with" in done.stdout
    assert done.returncode == 3, errors
    assert "helm-repro: no scores: " in errors


def test_a_log_that_cannot_be_written_is_named(helm_python: Path, run: Command) -> None:
    log = run.output / "my-suite.log"
    log.mkdir(parents=True)
    done, errors = run.start(terminal=True)
    assert done.returncode == 2, errors
    assert errors.splitlines() == ["helm-repro: engine local", f"helm-repro: error {log}: Is a directory"]
