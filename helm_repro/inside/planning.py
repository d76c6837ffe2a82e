"""``plan``: print what would run, for people or as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from helm_repro.inside.credentials import read_credentials
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.pipeline import make_plan, open_helm, prepare
from helm_repro.inside.settings import Settings


def print_plan(settings: Settings, as_json: bool, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """Write the plan to standard output; HELM's own output goes to standard error.

    The JSON form is ``{"run_specs": [{"name", "entry", "run_spec", "unavailable"}],
    "failed": [{"entry", "reason"}], "left_out": [{"entry", "reason"}]}`` and nothing else.
    """
    prepare(settings)
    credentials = read_credentials(environ, settings.local_path)
    with open_helm(settings, ["run"], environ, credentials) as helm:
        plan = make_plan(helm, settings)
    public = {key: plan[key] for key in ("run_specs", "failed", "left_out")}
    sys.stdout.write((json.dumps(public, indent=1) if as_json else as_text(public)) + "\n")
    return ExitCode.OK


def as_text(plan: Mapping[str, Any]) -> str:
    """One line per run spec, then what will not run and why."""
    lines = [
        f"{spec['name']}{'  UNAVAILABLE: ' + spec['unavailable'] if spec['unavailable'] else ''}"
        for spec in plan["run_specs"]
    ]
    for kind in ("failed", "left_out"):
        lines += [f"{kind.replace('_', ' ')}: {item['entry']}: {item['reason']}" for item in plan[kind]]
    available = sum(spec["unavailable"] is None for spec in plan["run_specs"])
    total = len(plan["run_specs"]) + len(plan["failed"])
    return "\n".join([*lines, f"{available} of {total} runs can run"])
