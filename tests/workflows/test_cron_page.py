"""Every schedule on docs/cron.md is valid for its scheduler and runs a command that works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from helm_repro.cli.main import verbs
from helm_repro.cli.run_verb import command as run_verb
from helm_repro.engines.local import CACHE_VARIABLE
from helm_repro.inside.variables import BY_NAME
from tests.cluster.conftest import local_cache  # noqa: F401 - a fixture
from tests.conftest import ROOT, clean_environment

_BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHECKOUT = "/srv/helm-repro"


def _blocks() -> dict[tuple[str, str], str]:
    text = (ROOT / "docs/cron.md").read_text(encoding="utf-8")
    return {(language, name): content for language, name, content in _BLOCK.findall(text)}


def _crontab_command() -> str:
    # crontab(5): the first percent sign that is not escaped ends the command.
    fields = _blocks()["crontab", ""].strip().split(None, 5)
    assert all(re.fullmatch(r"[*0-9,/-]+", field) for field in fields[:5])
    assert not re.search(r"(?<!\\)%", fields[5])
    return fields[5].replace("\\%", "%")


def _systemd_command() -> str:
    unit = _blocks()["systemd", "helm-repro.service"]
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    shell, option, script = shlex.split(line)
    assert (shell, option) == ("/bin/sh", "-c")
    # systemd.unit(5) and systemd.service(5): what it makes of these before the shell sees them.
    return script.replace("%%", "%").replace("$$", "$")


def _gitlab() -> dict[str, Any]:
    return dict(yaml.safe_load(_blocks()["yaml", "gitlab"])["reproduce"])


def test_all_schedules_run_the_same_command() -> None:
    prefix, _, crontab = _crontab_command().partition(" && ")
    assert prefix == f"cd {_CHECKOUT}"
    assert crontab == _systemd_command()
    assert _gitlab()["script"] == ["make setup", crontab]
    assert f"WorkingDirectory={_CHECKOUT}\n" in _blocks()["systemd", "helm-repro.service"]


@pytest.mark.helm
def test_the_command_runs_on_the_local_engine(local_cache: Path, tmp_path: Path) -> None:  # noqa: F811
    """As cron would start it: in a checkout, with hardly any environment."""
    for name in ("helm_repro", "leaderboards", "images", "entrypoint.py", "Dockerfile", "pyproject.toml", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = _crontab_command().replace(_CHECKOUT, str(tmp_path))
    variables = {"MAX_EVAL_INSTANCES": "1", CACHE_VARIABLE: str(local_cache), "PATH": "/usr/bin:/bin", "HOME": "/tmp"}
    # Without this, `auto` would build an image where Docker answers; the engine is not what is tested.
    variables["DOCKER_HOST"] = "unix:///nonexistent"
    conf = tmp_path / "one.conf"
    conf.write_text('entries: [{description: "simple_mcqa:model=text", priority: 1}]')
    variables["RUN_ENTRIES_CONF_PATH"] = str(conf)
    done = subprocess.run(["/bin/sh", "-c", command], env=variables, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("output/benchmark_output/runs/smoke-20*/receipt.json"))
    assert "simple_mcqa" in done.stdout


def test_the_command_s_options_exist() -> None:
    command, verb, *arguments = shlex.split(_systemd_command().replace("$(date +%G-W%V)", "2026-W48"))
    assert (command, verb) == (".venv/bin/helm-repro", "run")
    context = run_verb.make_context("run", arguments)
    assert context.params["stages"] == "run,summarize"


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    units = []
    for (language, name), content in _blocks().items():
        if language == "systemd":
            units.append(tmp_path / name)
            units[-1].write_text(content)
    assert len(units) == 2
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", *map(str, units)],
        env=clean_environment(SYSTEMD_LOG_LEVEL="warning"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "helm-repro." in line]
    assert not ours, done.stderr
    calendar = subprocess.run(["systemd-analyze", "calendar", "Mon 03:00"], capture_output=True, text=True, timeout=60)
    assert calendar.returncode == 0, calendar.stderr


def test_gitlab_s_job_has_what_it_needs() -> None:
    job = _gitlab()
    assert job["allow_failure"] == {"exit_codes": 3}
    assert job["cache"]["paths"] == ["output/prod_env/cache"]
    # What a failed job has paid for is kept for its retry, and not for next week's question to the model.
    assert job["cache"]["when"] == "always"
    assert "$CI_PIPELINE_ID" in job["cache"]["key"]


def test_the_cron_job_is_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*BY_NAME, *(name for name in os.environ if name.endswith("_API_KEY"))]:
        monkeypatch.delenv(name, raising=False)
    program, *arguments = shlex.split(_blocks()["sh", "kubernetes"])
    assert program == "helm-repro"
    done = CliRunner().invoke(verbs, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.output == _blocks()["yaml", "kubernetes"]
