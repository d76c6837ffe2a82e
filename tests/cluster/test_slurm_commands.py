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
from helm_repro.network import CERTIFICATES, PROXIES

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
    for name in (*BY_NAME, *PROXIES, *CERTIFICATES):
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
    return _helm_repro(*_SUBMIT, "--output", str(tmp_path / "out"), *arguments)


def _helm_repro(*arguments: str) -> str:
    done = CliRunner().invoke(verbs, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _mounts(programs: _Programs) -> list[str]:
    """What is mounted into a shard's container beside the output folder."""
    subprocess.run(["sh", programs.calls("sbatch")[0]["argv"][-1]], env={**os.environ, "SLURM_ARRAY_TASK_ID": "0"})
    words = programs.calls("apptainer")[-1]["argv"]
    return list(words[words.index("--bind") + 1].split(",")[1:])


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
    container = f"--container-image=/images/smoke.sif --container-mounts={tmp_path}/out:/data"
    assert f"exec srun --export=ALL {container} /opt/helm" in script


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


def test_resume_takes_what_was_given_for_submit_from_the_environment(
    programs: _Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("apptainer")
    _submit(tmp_path, "-e", "HF_HOME=/shared/hf")
    with pytest.raises(HelmReproError, match="HF_HOME: must be set again"):
        _helm_repro("resume", "--output", str(tmp_path / "out"))
    monkeypatch.setenv("HF_HOME", "/shared/hf")
    assert "submitted my-suite again" in _helm_repro("resume", "--output", str(tmp_path / "out"))
    assert programs.calls("sbatch")[2]["env"]["HF_HOME"] == "/shared/hf"


def test_resume_keeps_a_proxy_switched_off(
    programs: _Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("apptainer")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.corp:3128")
    _submit(tmp_path, "-e", "HTTPS_PROXY=")
    assert "submitted my-suite again" in _helm_repro("resume", "--output", str(tmp_path / "out"))
    assert [call["env"].get("HTTPS_PROXY") for call in programs.calls("sbatch")] == [""] * 4


def test_jobs_reach_the_network_as_this_machine_does(
    programs: _Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("apptainer")
    (tmp_path / "ca.pem").touch()
    proxy = "http://me:planted-password@proxy.example:3128"
    for name, value in (("https_proxy", proxy), ("ALL_PROXY", proxy), ("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))):
        monkeypatch.setenv(name, value)
    _submit(tmp_path)
    for call in programs.calls("sbatch"):
        (names,) = (word.removeprefix("--export=") for word in call["argv"] if word.startswith("--export="))
        assert {"https_proxy", "ALL_PROXY", *CERTIFICATES} <= set(names.split(","))
        assert call["env"]["https_proxy"] == proxy
        assert {call["env"][name] for name in CERTIFICATES} == {str(tmp_path / "ca.pem")}
        assert not any("planted-password" in word for word in call["argv"])
    assert _mounts(programs) == [f"{tmp_path}/ca.pem:{tmp_path}/ca.pem:ro"]
    texts = [path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert texts
    assert not any("planted-password" in text for text in texts)


def test_what_variables_name_is_mounted(programs: _Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.add("apptainer")
    for name in ("ehrshot", "tokenizer", "google"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EHRSHOT_PATH", "ehrshot")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "google")
    given = ("--image", "/images/gated.sif", "--model", "a/b", "-e", f"MODEL_TOKENIZER={tmp_path}/tokenizer")
    _helm_repro("submit", "medhelm-gated", "--engine", "slurm", *given, "-e", "MEDALIGN_PATH=/data/there",
                "-e", "LOCAL_MODEL_PATH=/scratch/of/the/nodes", "--output", str(tmp_path / "out"))  # fmt: skip
    record = json.loads((tmp_path / "out/jobs/my-suite.json").read_bytes())
    assert record["variables"]["EHRSHOT_PATH"] == f"{tmp_path}/ehrshot"
    assert record["secrets"] == ["GOOGLE_APPLICATION_CREDENTIALS", "OPENAI_API_KEY"]
    for call in programs.calls("sbatch"):
        assert call["env"]["EHRSHOT_PATH"] == f"{tmp_path}/ehrshot"
    names = [str(tmp_path / name) for name in ("ehrshot", "google", "tokenizer")]
    assert sorted(_mounts(programs)) == sorted(f"{name}:{name}:ro" for name in (*names, "/scratch/of/the/nodes"))


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
