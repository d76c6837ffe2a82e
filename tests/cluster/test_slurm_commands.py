"""What is handed to Slurm: containers where they are, mounts, and no secret on any command line."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from helm_repro.cli.main import verbs
from helm_repro.errors import HelmReproError
from helm_repro.inside.variables import BY_NAME

_SECRET = "sk-a-secret-that-nobody-may-see"
_RECORD = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps({"argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]], "env": dict(os.environ)}) + "\\n")
print({output!r}, end="")
"""
_SUBMIT = ("submit", "smoke", "--engine", "slurm", "--shards", "4", "--model", "a/b", "--image", "/images/smoke.sif")


class _Programs:
    """A PATH with programs that write down how they were called."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._record = folder / "record.jsonl"
        os.environ["RECORD"] = str(self._record)

    def add(self, name: str, output: str = "") -> None:
        path = self.folder / name
        path.write_text(_RECORD.replace("{output!r}", repr(output)))
        path.chmod(0o755)

    def calls(self, name: str) -> list[dict[str, Any]]:
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        return [call for call in map(json.loads, lines) if call["argv"][0] == name]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Programs:
    for name in BY_NAME:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RECORD", "")
    monkeypatch.setenv("OPENAI_API_KEY", _SECRET)
    folder = tmp_path / "bin"
    folder.mkdir()
    # /usr/bin has the interpreter of these programs, and Slurm's own commands where they are installed.
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    made = _Programs(folder)
    made.add("sbatch", "12;cluster")
    made.add("squeue")
    made.add("scancel")
    made.add("srun")
    return made


def _submit(tmp_path: Path, *arguments: str) -> str:
    done = CliRunner().invoke(verbs, [*_SUBMIT, "--output", str(tmp_path / "out"), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_apptainer_runs_a_shard_with_its_variables(programs: _Programs, tmp_path: Path) -> None:
    programs.add("apptainer")
    conf = tmp_path / "my.conf"
    conf.write_text("entries: []")
    assert _submit(tmp_path, "-e", f"RUN_ENTRIES_CONF_PATH={conf}") == "submitted my-suite: run 12, summarize 12\n"
    run, summarize = programs.calls("sbatch")
    assert "--array=0,1,2,3" in run["argv"]
    assert "--dependency=afterany:12" in summarize["argv"]
    assert not any(_SECRET in word for call in (run, summarize) for word in call["argv"])
    (exported,) = (word.removeprefix("--export=") for word in run["argv"] if word.startswith("--export="))
    assert {"OPENAI_API_KEY", "MODELS_TO_RUN"} <= set(exported.split(","))
    assert run["env"]["OPENAI_API_KEY"] == _SECRET
    # The job that summarizes asks no model.
    assert not any("OPENAI_API_KEY" in word for word in summarize["argv"])

    subprocess.run(["sh", run["argv"][-1]], env={**run["env"], "SLURM_ARRAY_TASK_ID": "2"}, check=True)
    (call,) = programs.calls("apptainer")
    mounts = f"{tmp_path}/out:/data,{conf}:{conf}:ro"
    inside = ["/opt/helm/bin/python", "/opt/helm-repro/entrypoint.py", "run"]
    assert call["argv"] == ["apptainer", "exec", "--bind", mounts, "/images/smoke.sif", *inside]
    expected = {"SHARD_INDEX": "2", "SHARD_COUNT": "4", "DATA_DIR": "/data", "OPENAI_API_KEY": _SECRET}
    assert {name: call["env"].get(name) for name in expected} == expected


def test_pyxis_is_preferred(programs: _Programs, tmp_path: Path) -> None:
    programs.add("apptainer")
    programs.add("srun", "      --container-image=[USER@][REGISTRY#]IMAGE[:TAG]|PATH")
    _submit(tmp_path)
    script = (tmp_path / "out/jobs/my-suite/run.sh").read_text()
    assert f"exec srun --container-image=/images/smoke.sif --container-mounts={tmp_path}/out:/data /opt/helm" in script


def test_a_gpu_is_for_the_shards(programs: _Programs, tmp_path: Path) -> None:
    programs.add("apptainer")
    _submit(tmp_path, "--gpu", "--option=--gres=gpu:h100:2")
    run, summarize = (call["argv"] for call in programs.calls("sbatch"))
    # The last one counts.
    assert [word for word in run if word.startswith("--gres")] == ["--gres=gpu:1", "--gres=gpu:h100:2"]
    assert "--gres=gpu:1" not in summarize
    assert "exec apptainer exec --nv --bind" in (tmp_path / "out/jobs/my-suite/run.sh").read_text()
    assert json.loads((tmp_path / "out/jobs/my-suite.json").read_bytes())["gpu"] is True


def test_an_image_without_a_container_runtime_is_refused(programs: _Programs, tmp_path: Path) -> None:
    with pytest.raises(HelmReproError, match="neither Pyxis nor Apptainer"):
        _submit(tmp_path)


def test_options_are_passed_on_and_nothing_secret_is_kept(programs: _Programs, tmp_path: Path) -> None:
    programs.add("apptainer")
    _submit(tmp_path, "--option=--partition=long", "-e", "MY_TOKEN=hidden-value")
    assert "--partition=long" in programs.calls("sbatch")[0]["argv"]
    record = json.loads((tmp_path / "out/jobs/my-suite.json").read_bytes())
    assert record["secrets"] == ["MY_TOKEN", "OPENAI_API_KEY"]
    texts = [path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not any(secret in text for secret in (_SECRET, "hidden-value") for text in texts)


def test_resume_needs_the_secrets_again(programs: _Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.add("apptainer")
    _submit(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(HelmReproError, match="OPENAI_API_KEY: must be set again"):
        CliRunner().invoke(verbs, ["resume", "--output", str(tmp_path / "out")], catch_exceptions=False)


def test_sbatch_s_refusal_is_one_line(programs: _Programs, tmp_path: Path) -> None:
    programs.add("apptainer")
    (programs.folder / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    with pytest.raises(HelmReproError, match=r"^slurm: sbatch failed: sbatch: error: invalid partition$"):
        _submit(tmp_path)


def test_cancel_names_only_jobs_that_slurm_still_knows(programs: _Programs, tmp_path: Path) -> None:
    programs.add("apptainer")
    where = ("--output", str(tmp_path / "out"))
    _submit(tmp_path)
    # scancel fails on a job that is forgotten.
    (programs.folder / "scancel").write_text("#!/bin/sh\necho 'Invalid job id specified' >&2\nexit 1\n")
    done = CliRunner().invoke(verbs, ["cancel", *where], catch_exceptions=False)
    assert (done.exit_code, done.output) == (0, "cancelled my-suite\n")

    record = tmp_path / "out/jobs/my-suite.json"
    record.write_text(json.dumps({**json.loads(record.read_bytes()), "jobs": {"run": "12", "summarize": "13"}}))
    programs.add("scancel")
    left = f"""#!/bin/sh\ngrep -q '"scancel"' {programs.folder}/record.jsonl || echo '13 N/A PENDING'\n"""
    (programs.folder / "squeue").write_text(left)
    assert CliRunner().invoke(verbs, ["cancel", *where], catch_exceptions=False).exit_code == 0
    assert [call["argv"] for call in programs.calls("scancel")] == [["scancel", "13"]]


@pytest.mark.parametrize("verb", ["status", "logs", "cancel", "resume"])
def test_a_suite_that_was_not_submitted_is_named(verb: str, tmp_path: Path) -> None:
    with pytest.raises(HelmReproError, match=r"jobs/none.json: no record of a submitted suite"):
        CliRunner().invoke(verbs, [verb, "none", "--output", str(tmp_path)], catch_exceptions=False)
