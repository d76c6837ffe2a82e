"""``plan``: print what would run, for people or as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.credentials import read_credentials
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.models import judges
from helm_repro.inside.models.juries import active_judges
from helm_repro.inside.pipeline import apart, make_plan, open_helm, prepare, wanted_runs
from helm_repro.inside.plan import caveats

_HEADERS = ("run spec", "scenario", "groups", "adapter", "instances", "judges")


def print_plan(settings: Settings, as_json: bool, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """Write the plan to standard output; HELM's own output goes to standard error.

    The JSON form is ``{"run_specs": [{"name", "entry", "run_spec", "unavailable"}],
    "failed": [{"entry", "reason"}], "left_out": [{"entry", "reason"}]}`` and nothing else.

    Raises:
        InsideError: no run could start; the plan, which says why, is printed all the same.
    """
    prepare(settings)
    credentials = read_credentials(environ, settings.prod_env)
    with apart(settings) as looking, open_helm(looking, ["run"], environ, credentials) as helm:
        plan = make_plan(helm, looking)
    public = {key: plan[key] for key in ("run_specs", "failed", "left_out")}
    sys.stdout.write((json.dumps(public, indent=1) if as_json else as_text(settings, public)) + "\n")
    # The error must not stand before what it is about where both streams are one.
    sys.stdout.flush()
    wanted_runs(settings, plan)
    return ExitCode.OK


def as_text(settings: Settings, plan: Mapping[str, Any]) -> str:
    """A table with one line per run spec, then what will not run and why, then totals."""
    judges = {judge["model"]: set(judge["used_by"]) for judge in active_judges(settings, plan)}
    rows = [_HEADERS, *(_row(spec, judges) for spec in plan["run_specs"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADERS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    gone = [spec for spec in plan["run_specs"] if spec["unavailable"]]
    lines += [""] if gone or plan["failed"] or plan["left_out"] else []
    lines += [f"unavailable: {spec['name']}: {spec['unavailable']}" for spec in gone]
    for kind in ("failed", "left_out"):
        lines += [f"{kind.replace('_', ' ')}: {item['entry']}: {item['reason']}" for item in plan[kind]]
    return "\n".join([*lines, "", *_totals(settings, plan, [spec for spec in plan["run_specs"] if spec not in gone])])


def _row(spec: Mapping[str, Any], judges: Mapping[str, set[str]]) -> tuple[str, ...]:
    run_spec = spec["run_spec"]
    function = spec["entry"].partition(":")[0]
    used = [model for model, functions in judges.items() if not functions or function in functions]
    return (
        spec["name"],
        run_spec["scenario_spec"]["class_name"].rpartition(".")[2],
        ",".join(run_spec["groups"]),
        run_spec["adapter_spec"]["method"],
        str(run_spec["adapter_spec"].get("max_eval_instances", "all")),
        ",".join(used),
    )


def _totals(settings: Settings, plan: Mapping[str, Any], available: Sequence[Mapping[str, Any]]) -> list[str]:
    """Upper bounds: how many instances a data set has is known only once it is downloaded."""
    adapters = [spec["run_spec"]["adapter_spec"] for spec in available]
    requests = [(a.get("max_eval_instances") or 0) * a["num_train_trials"] for a in adapters]
    outputs = sum(count * a["max_tokens"] * a["num_outputs"] for count, a in zip(requests, adapters, strict=True))
    total = len(plan["run_specs"]) + len(plan["failed"])
    return [
        f"{len(available)} of {total} runs can run with {settings.board.id} on HELM "
        f"{settings.board.environment['helm_version']}",
        f"at most about {sum(requests)} requests and {outputs} output tokens, more where every choice of a question is "
        "scored by itself; `dry-run` counts requests and prompt tokens from the data",
        *(f"warning: {line}" for line in caveats.warnings(settings.board.leaderboard, plan)),
        *judges.marks(settings),
    ]
