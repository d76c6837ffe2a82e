"""Files that a verb cannot write: one line that names the path, exit code 2, and nothing handed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helm_repro.cli.main import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_report_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = tmp_path / "benchmark_output/runs/mine"
    run = suite / "boolq:model=a_b"
    run.mkdir(parents=True)
    spec = {"name": run.name, "groups": ["boolq"], "adapter_spec": {"model": "a/b"}}
    group = {"name": "boolq", "environment": {"main_name": "exact_match"}}
    for path, content in {
        suite / "summary.json": {"suite": "mine"},
        suite / "schema.json": {"run_groups": [group], "metrics": []},
        suite / "runs_to_run_suites.json": {run.name: "mine"},
        run / "run_spec.json": spec,
        run / "stats.json": [],
    }.items():
        path.write_text(json.dumps(content))
    taken = tmp_path / "taken"
    taken.touch()
    line = refused(capsys, "report", "mine", "--alone", "--output", tmp_path, "--to", taken)
    assert line == f"helm-repro: error {taken}: File exists"


def test_no_job_is_submitted_whose_record_cannot_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, output = tmp_path / "bin", tmp_path / "output"
    programs.mkdir()
    for name in ("sbatch", "squeue", "scancel", "srun", "apptainer"):
        (programs / name).write_text(f"#!/bin/sh\necho called >> {tmp_path}/{name}.called\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    output.mkdir()
    (output / "jobs").touch()
    where = ("--model", "a/b", "--image", "/images/smoke.sif", "--output", output)
    line = refused(capsys, "submit", "smoke", "--engine", "slurm", *where)
    assert line == f"helm-repro: error {output / 'jobs'}: File exists"
    assert not (tmp_path / "sbatch.called").exists()


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("engine", ["slurm", "kubernetes"])
def test_submit_refuses_a_suite_that_is_chosen_inside(
    capsys: pytest.CaptureFixture[str], engine: str, shards: int
) -> None:
    given = ("--shards", shards, "--model", "a/b", "--image", "x", "-e", "RESUME=new-suite", "--dry-run")
    line = refused(capsys, "submit", "smoke", "--engine", engine, *given)
    assert line.startswith("helm-repro: error RESUME=new-suite: shards need one name of the suite")


def test_an_error_without_a_path_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OSError("not about a file")

    monkeypatch.setattr("helm_repro.cli.main.verbs.main", fail)
    with pytest.raises(OSError, match="not about a file"):
        main([])
