"""Plan, then the stages in order; what happened becomes an exit code.

Invariants: a failing run never keeps the rest from being summarised; nothing that
was computed is removed; every stage says in the log when it starts and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from helm_repro.inside import stages
from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.helm_process import HelmProcess
from helm_repro.inside.journal import Journal
from helm_repro.inside.log import say
from helm_repro.inside.settings import Settings
from helm_repro.inside.suite import is_complete, set_aside_incomplete


def run_stages(settings: Settings, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """Run the stages that the settings ask for.

    Raises:
        InsideError: a stage could not do its work at all.
        Stopped: a signal ended it.
    """
    prepare(settings)
    outcome = ExitCode.OK
    with open_helm(settings, settings.stages, environ) as helm:
        if "run" in settings.stages:
            plan = make_plan(helm, settings)
            outcome = _run(helm, settings, plan)
        if "summarize" in settings.stages:
            _summarize(helm, settings)
        if "server" in settings.stages:
            if not (settings.suite_path / "schema.json").is_file():
                raise InsideError(f"SUITE_NAME={settings.suite}: not summarised yet; run the summarize stage first")
            _stage(helm, "server", stages.server_command(settings), listen_on=settings.server_host)
    return outcome


def prepare(settings: Settings) -> None:
    """Make the data directory's folders.

    Raises:
        VariableError: it cannot be written to.
    """
    try:
        for path in (settings.output_path, settings.local_path):
            path.mkdir(parents=True, exist_ok=True)
        if "run" in settings.stages:
            settings.suite_path.mkdir(parents=True, exist_ok=True)
        if not os.access(settings.output_path, os.W_OK):
            raise PermissionError(f"{settings.output_path} is not writable")
    except OSError as error:
        raise VariableError(
            "DATA_DIR", settings.data_dir, f"cannot be written to by uid {os.getuid()} ({error})"
        ) from error
    if "run" not in settings.stages and not settings.suite_path.is_dir():
        raise VariableError("SUITE_NAME", settings.suite, f"no such suite in {settings.output_path / 'runs'}")


@contextlib.contextmanager
def open_helm(settings: Settings, wanted: Sequence[str], environ: Mapping[str, str]) -> Iterator[HelmProcess]:
    """A HELM process that preloads what the wanted stages need."""
    modules = [module for stage in wanted for module in stages.PRELOAD[stage]]
    with HelmProcess(modules, settings.data_dir, environ) as helm:
        yield helm


def make_plan(helm: HelmProcess, settings: Settings) -> dict[str, Any]:
    """Ask HELM for the run specs.

    Raises:
        InsideError: a model is unknown, or no run spec can be constructed.
    """
    plan: dict[str, Any] = helm.call(
        "helm_repro.inside.plan:make_plan",
        conf_path=str(settings.conf_path),
        models=list(settings.models),
        priority=settings.priority,
        max_eval_instances=settings.max_eval_instances,
        num_train_trials=settings.num_train_trials,
        output_path=str(settings.output_path),
        local_path=str(settings.local_path),
        model_groups=settings.model_groups,
        include_unavailable=settings.include_unavailable,
        leaderboard=dict(settings.board.leaderboard),
    )
    for unknown in plan["unknown_models"]:
        similar = f"; did you mean {' or '.join(unknown['similar'])}?" if unknown["similar"] else ""
        raise VariableError(
            "MODELS_TO_RUN",
            unknown["model"],
            f"HELM {settings.board.environment['helm_version']} does not know this model{similar}",
        )
    return plan


def _run(helm: HelmProcess, settings: Settings, plan: Mapping[str, Any]) -> ExitCode:
    for kind in ("failed", "left_out"):
        for item in plan[kind]:
            say("plan", f"{kind.replace('_', ' ')}: {item['entry']}: {item['reason']}")
    wanted = [spec for spec in plan["run_specs"] if spec["unavailable"] is None or settings.include_unavailable]
    for spec in plan["run_specs"]:
        if spec not in wanted:
            say("plan", f"unavailable: {spec['entry']}: {spec['unavailable']} (INCLUDE_UNAVAILABLE=1 tries it)")
    if not wanted:
        raise InsideError(
            f"{settings.board.id}: no run spec for MODELS_TO_RUN={' '.join(settings.models)}: "
            f"{len(plan['failed'])} entries could not be constructed, {len(plan['left_out'])} were left out",
            ExitCode.UPSTREAM_DATA if plan["failed"] else ExitCode.CONFIGURATION,
        )
    names = [spec["name"] for spec in wanted]
    for path in set_aside_incomplete(settings.suite_path, names):
        say("resume", f"set aside a half-written run: {path}")
    conf = settings.suite_path / "run_entries.conf"
    conf.write_text(json.dumps({"entries": plan["conf"]}, indent=1, ensure_ascii=False), encoding="utf-8")
    journal = Journal(settings.suite_path)
    journal.write("plan", runs=names)

    status = _stage(helm, "run", stages.run_command(settings, conf))
    missing = [name for name in names if not is_complete(settings.suite_path / name)]
    if status != 0 and not missing and not plan["failed"]:
        raise InsideError(f"helm-run ended with {status} though every run is complete; the reason is above")
    causes = {event["run"]: event["cause"] for event in journal.read() if event["event"] == "fail"}
    for name in missing:
        say("failed", f"{name}: {causes.get(name, f'helm-run ended with {status}')}")
    say("result", f"{len(names) - len(missing)} of {len(plan['run_specs']) + len(plan['failed'])} runs complete")
    return ExitCode.PARTIAL if missing or plan["failed"] else ExitCode.OK


def _summarize(helm: HelmProcess, settings: Settings) -> None:
    status = _stage(helm, "summarize", stages.summarize_command(settings))
    if status != 0:
        raise InsideError(f"helm-summarize ended with {status}; the reason is above", ExitCode.PARTIAL)


def _stage(helm: HelmProcess, name: str, command: list[str], listen_on: Optional[str] = None) -> int:
    say("stage", f"{name} starts: {shlex.join(command)}")
    started = time.monotonic()
    try:
        status = helm.command(command, listen_on)
    finally:
        seconds = time.monotonic() - started
        say("stage", f"{name} ended after {seconds:.1f} s")
    return status
