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

from helm_repro.inside import pipeline, stages
from helm_repro.inside.credentials import read_credentials
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.log import say
from helm_repro.inside.settings import Settings

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
    _link(elsewhere.prod_env, settings.prod_env)
    _link(elsewhere.output_path / "scenarios", settings.output_path / "scenarios")
    credentials = read_credentials(environ, settings.local_path)
    with pipeline.open_helm(settings, ["run"], environ, credentials) as helm:
        plan = pipeline.make_plan(helm, elsewhere)
        conf = elsewhere.suite_path / "run_entries.conf"
        conf.write_text(json.dumps({"entries": plan["conf"]}, indent=1, ensure_ascii=False), encoding="utf-8")
        status = helm.command([*stages.run_command(elsewhere, conf), "--dry-run"])
    say("dry-run", f"{elsewhere.suite_path} holds {len(plan['conf'])} dry runs; helm-run ended with {status}")
    return ExitCode.OK if status == 0 else ExitCode.PARTIAL


def _link(link: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
