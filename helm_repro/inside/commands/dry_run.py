"""``dry-run``: the run specs and instances that a run would use, without a single request.

HELM's ``--dry-run`` writes all five result files, and a later run that skips completed
runs would take them for results. So it works below ``dry_run/`` in the data directory,
a place that no stage reads; data sets and configuration are shared by links.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from helm_repro.inside import pipeline
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.credentials import read_credentials
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.running import run_stage, stages

FOLDER = "dry_run"


def dry_run(settings: Settings, as_json: bool, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """Write ``dry_run/benchmark_output/runs/<suite>``; a suite of that name there is replaced.

    Raises:
        InsideError: no run spec could be constructed.
    """
    pipeline.prepare(settings)
    elsewhere = dataclasses.replace(settings, data_dir=settings.data_dir / FOLDER)
    shutil.rmtree(elsewhere.suite_path, ignore_errors=True)
    elsewhere.suite_path.mkdir(parents=True)
    link(elsewhere.prod_env, settings.prod_env)
    link(elsewhere.output_path / "scenarios", settings.output_path / "scenarios")
    credentials = read_credentials(environ, settings.prod_env)
    with (
        pipeline.apart(elsewhere) as looking,
        pipeline.open_helm(settings, ["run"], environ, credentials) as helm,
    ):
        plan = pipeline.make_plan(helm, looking)
        wanted = pipeline.wanted_runs(settings, plan)
        conf = run_stage.write_conf(looking, plan, set(wanted))
        status = helm.command([*stages.run_command(looking, conf), "--dry-run"])
    runs, requests, prompt_tokens = totals(elsewhere.suite_path)
    say(
        "dry-run",
        f"{elsewhere.suite_path}: {runs} of {len(wanted)} runs, {requests} requests, {prompt_tokens} prompt tokens",
    )
    return ExitCode.OK if status == 0 else ExitCode.PARTIAL


def totals(suite_path: Path) -> tuple[int, int, int]:
    """Number of dry runs, their requests and their prompt tokens (by the model's tokenizer).

    The statistics are those of HELM's DryRunMetric (helm/benchmark/metrics/dry_run_metrics.py).
    """
    sums = {"num_requests": 0.0, "num_prompt_tokens": 0.0}
    paths = list(suite_path.glob("*/stats.json"))
    for path in paths:
        for stat in json.loads(path.read_bytes()):
            if stat["name"]["name"] in sums:
                sums[stat["name"]["name"]] += stat["sum"]
    return len(paths), int(sums["num_requests"]), int(sums["num_prompt_tokens"])


def link(place: Path, target: Path) -> None:
    """Make ``place`` a link to the folder ``target``, which is created if need be."""
    target.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(os.path.relpath(target, place.parent), target_is_directory=True)
