"""``warm``: fetch all that a leaderboard needs, so that it can run where there is no network.

Run specs are constructed (some download for that), HELM makes every scenario's instances
(``--cache-instances-only``), and tokenizers, weights of hub models, NLTK's data and what
metrics fetch are fetched; all of it is recorded in datasets.lock. No model is asked anything.

Like a dry run it works in a place of its own, ``warm/`` in the data directory, because HELM
makes a folder for every run; what it downloads goes where runs look for it, by links.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from helm_repro.inside import pipeline
from helm_repro.inside.commands.dry_run import link
from helm_repro.inside.data import datasets_lock, offline, scoring_files
from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.credentials import read_credentials
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.running import run_stage, stages
from helm_repro.inside.suite.journal import Journal

FOLDER = "warm"
_DOWNLOAD_LOG = "HELM_REPRO_DOWNLOAD_LOG"


def fill_cache(settings: Settings, as_json: bool = False, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """Fill the cache and write datasets.lock.

    Raises:
        InsideError: no run spec could be constructed, or something could not be fetched.
    """
    if settings.offline:
        raise VariableError("OFFLINE", "1", "warm is what needs the network; run it without")
    pipeline.prepare(settings)
    cache = settings.prod_env / "cache"
    for folder in offline.cache_folders(cache, environ).values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    elsewhere = dataclasses.replace(settings, data_dir=settings.data_dir / FOLDER)
    shutil.rmtree(elsewhere.output_path / "runs", ignore_errors=True)
    elsewhere.suite_path.mkdir(parents=True)
    link(elsewhere.prod_env, settings.prod_env)
    for name in ("scenarios", "scenario_instances"):
        link(elsewhere.output_path / name, settings.output_path / name)
    log = elsewhere.data_dir / "downloads.jsonl"
    credentials = read_credentials(environ, settings.prod_env)
    with (
        pipeline.apart(elsewhere) as looking,
        pipeline.open_helm(settings, ["warm"], {**environ, _DOWNLOAD_LOG: str(log)}, credentials) as helm,
    ):
        plan = pipeline.make_plan(helm, looking)
        wanted = pipeline.wanted_runs(settings, plan)
        conf = run_stage.write_conf(looking, plan, set(wanted))
        status = helm.command([*stages.run_command(looking, conf), "--cache-instances", "--cache-instances-only"])
        deployments = sorted({spec["adapter_spec"]["model_deployment"] for spec in wanted.values()})
        problems = helm.call(
            "helm_repro.inside.data.prefetch:prefetch", deployments=deployments, local_path=str(looking.local_path)
        )
    problems += [f"{file}: {reason}" for file, reason in scoring_files.provide(settings, wanted)]
    problems += [f"{item['entry']}: {item['reason']}" for item in plan["failed"]]
    failed = {
        event["run"]: event["cause"] for event in Journal(elsewhere.suite_path).read() if event["event"] == "fail"
    }
    problems += [f"{run}: {cause}" for run, cause in failed.items()]
    lock = datasets_lock.write(
        settings.data_dir, settings.prod_env, {**_downloads(log), **scoring_files.sources(settings)}
    )
    shutil.rmtree(elsewhere.output_path / "runs", ignore_errors=True)
    size = sum(entry["size"] for entry in lock["files"])
    say(
        "warm",
        f"{len(lock['files'])} files, {size / 1e6:.1f} MB recorded in {datasets_lock.path_of(settings.prod_env)}",
    )
    _refuse_gaps(problems, len(wanted), 0 if failed else status)
    return ExitCode.OK


def _refuse_gaps(problems: Sequence[str], wanted: int, status: int) -> None:
    """Say what could not be had.

    Args:
        status: helm-run's exit status, unless the problems explain it.

    Raises:
        InsideError: anything could not be had.
    """
    for problem in problems:
        say("warm", f"problem: {problem}")
    if status != 0:
        raise InsideError(f"warm: helm-run ended with {status}, so data is missing; see above", ExitCode.PARTIAL)
    if problems:
        raise InsideError(
            f"warm: {len(problems)} of {wanted} runs' data or tools could not be had; the first: {problems[0]}",
            ExitCode.UPSTREAM_DATA,
        )


def _downloads(log: Path) -> dict[str, str]:
    """File or folder -> the address it came from, of this warm and of earlier ones."""
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {record["path"]: record["url"] for record in map(json.loads, lines)}
