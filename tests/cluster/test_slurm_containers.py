"""What a task in a container gets from a real Slurm; Pyxis, which is not packaged, is a stand-in around srun."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from helm_repro.cli.main import verbs
from helm_repro.inside.variables import BY_NAME
from tests.cluster.slurm_cluster import SlurmCluster, find, wait_until

# Pyxis adds options to srun and changes nothing else here. In place of the image's Python this writes down what it has.
_PYXIS = """#!/usr/bin/env python3
import os, sys
if "--help" in sys.argv:
    print("--container-image")
    sys.exit()
options = [word for word in sys.argv[1:] if word.startswith("--") and not word.startswith("--container-")]
write = "env >{folder}/.$$; mv {folder}/.$$ {folder}/$SLURM_JOB_NAME.${{SHARD_INDEX:-none}}"
os.execv("{srun}", ["srun", *options, "sh", "-c", write])
"""


def test_a_task_in_pyxis_knows_its_shard(slurm: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    srun = tmp_path / "bin/srun"
    srun.write_text(_PYXIS.format(folder=folder, srun=find("srun")))
    srun.chmod(0o755)
    for name in BY_NAME:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**slurm.environment, "OPENAI_API_KEY": "sk-planted", "https_proxy": "http://proxy"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    arguments = ("smoke", "--engine", "slurm", "--shards", "2", "--model", "a/b", "--image", "none.sqsh")
    done = CliRunner().invoke(verbs, ["submit", *arguments, "--output", str(tmp_path / "out")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    wait_until(lambda: not slurm.command("squeue", "--noheader"), 120, "all jobs end")
    logs = [path.read_text() for path in (tmp_path / "out/jobs/my-suite").glob("*.log")]
    assert {path.name.rpartition(".")[2] for path in folder.iterdir()} == {"0", "1", "none"}, logs
    for index in (0, 1):
        (path,) = folder.glob(f"*.{index}")
        seen = path.read_text().splitlines()
        expected = {f"SHARD_INDEX={index}", "SHARD_COUNT=2", "DATA_DIR=/data", "OPENAI_API_KEY=sk-planted"}
        assert {*expected, "https_proxy=http://proxy"} <= set(seen)
