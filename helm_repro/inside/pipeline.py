"""Plan, preflight, then the stages in order; what happened becomes an exit code.

Invariants: nothing is written to a suite that another process writes or that was
started with other parameters; a failing run never keeps the rest from being
summarised; once a suite is claimed, the receipt is written however the run stage ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from helm_repro.inside import failures
from helm_repro.inside.checks import preflight
from helm_repro.inside.data import offline, own_data
from helm_repro.inside.deployments.endpoint import without_fallbacks
from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.credentials import Credentials, read_credentials
from helm_repro.inside.inputs.settings import NEW_SUITE, Settings
from helm_repro.inside.log import say
from helm_repro.inside.models import judges, own_models
from helm_repro.inside.models.juries import running
from helm_repro.inside.plan import plan_cache
from helm_repro.inside.process.helm_process import HelmProcess
from helm_repro.inside.running import outcome, run_stage, stages
from helm_repro.inside.running.stage import run_stage_command
from helm_repro.inside.suite import gaps, identity, invocation, sharding
from helm_repro.inside.suite.state import looks_complete
from helm_repro.inside.suite.suite_lock import locked
from helm_repro.inside.system.cpus import usable_cpus
from helm_repro.inside.variables import BY_NAME, JUDGES_VARIABLE


def run_stages(settings: Settings, as_json: bool = False, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """Run the stages that the settings ask for.

    Raises:
        InsideError: a stage could not do its work at all.
        Stopped: a signal ended it.
    """
    prepare(settings)
    credentials = read_credentials(environ, settings.prod_env)
    code, complete = ExitCode.OK, list[str]()
    with helm_process(settings, environ, credentials) as helm:
        if "run" in settings.stages:
            if settings.resume == NEW_SUITE:
                settings = settings.with_suite(identity.free_suite_name(settings))
            settings.suite_path.mkdir(parents=True, exist_ok=True)
            with locked(settings.suite_path, settings.shard):
                invocation.mark(settings.suite_path, environ)
                code, complete = _run(helm, settings, environ, credentials)
        start(helm, settings, [stage for stage in settings.stages if stage != "run"])
        if "summarize" in settings.stages:
            summarized = _summarize(helm, settings, complete)
            code = code or summarized
        if "server" in settings.stages:
            if not (settings.suite_path / "schema.json").is_file():
                raise InsideError(f"SUITE_NAME={settings.suite}: not summarised yet; run the summarize stage first")
            run_stage_command(helm, settings, "server", stages.server_command(settings), settings.server_host)
    return code


def prepare(settings: Settings) -> None:
    """Make the data directory's folders.

    Raises:
        VariableError: it cannot be written to, or a stage needs a suite that is not there.
    """
    try:
        for path in (settings.output_path / "runs", settings.local_path):
            path.mkdir(parents=True, exist_ok=True)
            if not os.access(path, os.W_OK):
                raise PermissionError(f"{path} is not writable")
    except OSError as error:
        reason = f"cannot be written to by uid {os.getuid()} ({error})"
        # In the image: Docker makes a folder that is not there as root, and the image's own user is not the caller.
        if isinstance(error, PermissionError) and str(settings.data_dir) == BY_NAME["DATA_DIR"].default:
            reason += '; with docker run, mount a folder of your own and give --user "$(id -u):$(id -g)"'
        raise VariableError("DATA_DIR", settings.data_dir, reason) from error
    # NLTK downloads to $NLTK_DATA only if that is a folder already; the image cannot make one in a mounted /data.
    with contextlib.suppress(OSError):
        nltk_data = offline.cache_folders(settings.prod_env / "cache", os.environ)["NLTK_DATA"]
        Path(nltk_data).mkdir(parents=True, exist_ok=True)
    if "run" not in settings.stages and not settings.suite_path.is_dir():
        raise VariableError("SUITE_NAME", settings.suite, f"no such suite in {settings.output_path / 'runs'}")


@contextlib.contextmanager
def open_helm(
    settings: Settings, wanted: Sequence[str], environ: Mapping[str, str], credentials: Credentials
) -> Iterator[HelmProcess]:
    """A HELM process that preloads what the wanted stages need and holds the keys."""
    with helm_process(settings, environ, credentials) as helm:
        start(helm, settings, wanted)
        yield helm


def helm_process(settings: Settings, environ: Mapping[str, str], credentials: Credentials) -> HelmProcess:
    """The process that will hold HELM and the keys, not started."""
    keys = credentials.helm_environment(own_models.helm_keys(settings, credentials))
    base_url = settings.endpoint.base_url if settings.endpoint else None
    environ = without_fallbacks(environ) if settings.endpoint else environ
    caches = offline.environment(settings.prod_env / "cache", environ, settings.offline, base_url)
    # The runner has no flags for them.
    for_runner = {
        "JOBS": "auto" if settings.jobs is None else str(settings.jobs),
        "REQUEST_CACHE": settings.request_cache,
        JUDGES_VARIABLE: " ".join(judges.deployments(settings, credentials)),
    }
    return HelmProcess(settings.data_dir, {**environ, **caches, **keys, **for_runner})


def start(helm: HelmProcess, settings: Settings, wanted: Sequence[str]) -> None:
    """Let it preload what the first of these stages needs, and what the others need while that one runs."""
    if wanted:
        modules = ["helm_repro.inside.data.offline_guard"] if settings.offline else []
        modules += stages.PRELOAD[wanted[0]]
        helm.start(modules, [module for stage in wanted[1:] for module in stages.PRELOAD[stage]])


@contextlib.contextmanager
def apart(settings: Settings) -> Iterator[Settings]:
    """The settings of a command that only looks: what it registers is gone at the end, and never the suite's.

    A run of the suite may be under way, whose next attempt reads what is registered for it.
    """
    suites = settings.registration.parent
    try:
        suites.mkdir(exist_ok=True)
        # No suite's name begins with a dot.
        folder = tempfile.TemporaryDirectory(prefix=".", dir=suites, ignore_cleanup_errors=True)
    except OSError as error:
        raise VariableError("DATA_DIR", settings.data_dir, f"prod_env cannot be written to ({error})") from error
    with folder:
        yield dataclasses.replace(settings, apart=Path(folder.name).name)


def make_plan(helm: HelmProcess, settings: Settings) -> dict[str, Any]:
    """Ask HELM for the run specs.

    Raises:
        InsideError: a model is unknown, or no run spec can be constructed.
    """
    own_models.register(settings)
    return _ask_for_plan(helm, settings, plan_arguments(settings))


def plan_arguments(settings: Settings) -> dict[str, Any]:
    """What :func:`helm_repro.inside.plan.make.make_plan` is called with."""
    return {
        "conf_path": str(settings.conf_path),
        "models": list(settings.models),
        "priority": settings.priority,
        "max_eval_instances": settings.max_eval_instances,
        "num_train_trials": settings.num_train_trials,
        "output_path": str(settings.output_path),
        "local_path": str(settings.local_path),
        "model_groups": settings.model_groups,
        "include_unavailable": settings.include_unavailable,
        "leaderboard": dict(settings.board.leaderboard),
        "data_paths": own_data.data_paths(settings.board.leaderboard),
        "reasoning_models": settings.reasoning_models,
        "substitutes": sorted(set(judges.substitutes(settings).values())),
    }


def _ask_for_plan(helm: HelmProcess, settings: Settings, arguments: Mapping[str, Any]) -> dict[str, Any]:
    plan: dict[str, Any] = helm.call("helm_repro.inside.plan.make:make_plan", **arguments)
    for unknown in plan["unknown_models"]:
        variable = "MODELS_TO_RUN" if unknown["model"] in settings.models else judges.VARIABLE
        if unknown["reason"]:
            refused = failures.classify(unknown["reason"]).exit_code == ExitCode.CREDENTIALS
            raise InsideError(
                f"{variable}={unknown['model']}: HELM cannot look it up: {unknown['reason']}",
                ExitCode.CREDENTIALS if refused else ExitCode.UPSTREAM_DATA,
            )
        similar = f"; did you mean {' or '.join(unknown['similar'])}?" if unknown["similar"] else ""
        raise VariableError(
            variable,
            unknown["model"],
            f"HELM {settings.board.environment['helm_version']} does not know this model{similar}",
        )
    return plan


def wanted_runs(settings: Settings, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Run name -> run spec of the plan's runs that can be run.

    Raises:
        InsideError: there is none; HELM itself would exit with 0.
    """
    wanted = {spec["name"]: spec["run_spec"] for spec in running(settings, plan)}
    if not wanted:
        raise InsideError(
            f"{settings.board.id}: no run spec for MODELS_TO_RUN={' '.join(settings.models)}: "
            f"{len(plan['failed'])} entries could not be constructed, {len(plan['left_out'])} were left out, "
            f"{len(plan['run_specs'])} are unavailable",
            ExitCode.UPSTREAM_DATA if plan["failed"] or plan["run_specs"] else ExitCode.CONFIGURATION,
        )
    return wanted


def _run(
    helm: HelmProcess, settings: Settings, environ: Mapping[str, str], credentials: Credentials
) -> tuple[ExitCode, list[str]]:
    """The run stage's exit code, and the names of its runs that are complete."""
    # First, so that a start with other parameters changes nothing that another shard may be reading.
    identity.check(settings)
    own_models.register(settings)
    arguments = plan_arguments(settings)
    key = plan_cache.digest(settings, arguments)
    kept = plan_cache.read(settings.suite_path, key)
    # A suite that is complete needs no HELM to find that out.
    if kept is None or not looks_complete(settings.suite_path, wanted_runs(settings, kept)):
        start(helm, settings, settings.stages)
    if kept is None:
        _import_meanwhile(helm, settings)
    plan = kept or _ask_for_plan(helm, settings, arguments)
    # Before the suite records these models: one without a run to run is none of its.
    wanted = wanted_runs(settings, plan)
    identity.claim(settings)
    if kept is None:
        plan_cache.keep(settings.suite_path, key, plan)
    plan, wanted = sharding.part_of(settings, plan, wanted)
    outcome.say_plan(settings, plan)
    record = outcome.Record(settings, environ, credentials, plan)
    report = run_stage.begin(settings, plan, wanted)
    try:
        run_stage.run(helm, settings, plan, wanted, report, lambda: _before_running(helm, settings, plan, credentials))
    except InsideError as error:
        record.write_unfinished(report, error)
        raise
    code = outcome.exit_code(plan, report)
    record.write(report, code)
    return code, report.complete


def _import_meanwhile(helm: HelmProcess, settings: Settings) -> None:
    """Let the process that commands are forked from import what the first requests need, while a fork of it plans."""
    if usable_cpus() == 1:
        return
    modules = helm.call(
        "helm_repro.inside.process.warm:modules_of_models",
        models=list(settings.models),
        local_path=str(settings.local_path),
    )
    helm.preload((), meanwhile=modules)


def _before_running(helm: HelmProcess, settings: Settings, plan: Mapping[str, Any], credentials: Credentials) -> None:
    # Not yet where every run looked complete, and one turned out not to be.
    start(helm, settings, settings.stages)
    needed_next = [*plan["run_modules"], stages.RUNNER.rpartition(".")[0]]
    helm.preload(plan["client_modules"], needed_next, stages.NEEDED_LATER)
    preflight.report(settings, preflight.preflight(helm, settings, plan, credentials))
    helm.preload(needed_next)


def _summarize(helm: HelmProcess, settings: Settings, complete: Collection[str]) -> ExitCode:
    whole = gaps.mark_before_summary(settings, complete)
    status = run_stage_command(helm, settings, "summarize", stages.summarize_command(settings))
    if status != 0:
        raise InsideError(f"helm-summarize ended with {status}; the reason is above", ExitCode.PARTIAL)
    return ExitCode.OK if whole else ExitCode.PARTIAL


def run_preflight(settings: Settings, as_json: bool = False, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """The ``preflight`` command: every check, without running anything.

    Raises:
        InsideError: as :func:`preflight.report`.
    """
    prepare(settings)
    credentials = read_credentials(environ, settings.prod_env)
    with apart(settings) as looking, open_helm(looking, ["run"], environ, credentials) as helm:
        plan = make_plan(helm, looking)
        wanted = wanted_runs(looking, plan)
        preflight.report(looking, preflight.preflight(helm, looking, plan, credentials))
    say("preflight", f"{len(wanted)} runs can start")
    return ExitCode.OK
