"""What can be known to fail is said before any money is spent.

A check returns problems and never guesses: what it cannot tell, it does not report.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from helm_repro.inside import failures
from helm_repro.inside.checks import endpoint_probe, prerequisites
from helm_repro.inside.data import datasets_lock
from helm_repro.inside.errors import InsideError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.credentials import CREDENTIALS, Credentials
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.models import judges as judges_module
from helm_repro.inside.models import own_models
from helm_repro.inside.models.juries import active_judges, functions, running
from helm_repro.inside.process.helm_process import HelmProcess

_LEAST_FREE_BYTES = 1_000_000_000
# A certificate is not valid yet, or a token has expired, long before the clock is a year off.
_NOT_BEFORE = datetime.date(2026, 4, 29)


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that stands in the way, or (``warning``) may change results."""

    where: str
    message: str
    exit_code: ExitCode
    warning: bool = False


def preflight(
    helm: HelmProcess, settings: Settings, plan: Mapping[str, Any], credentials: Credentials
) -> list[Problem]:
    """Run every check. Nothing is spent but one short request per model and judge."""
    if settings.preflight == "off":
        return []
    judges = active_judges(settings, plan)
    problems = [
        *_machine(settings),
        *_judges(settings, judges, credentials),
        *_data(settings, plan, credentials),
        *(Problem(*found) for found in prerequisites.missing(settings, plan)),
    ]
    if settings.offline:
        problems += _beyond_reach(helm, settings, plan, judges, credentials)
    if not any(not problem.warning for problem in problems):
        problems += _models(helm, settings, plan, judges, credentials)
    return problems


def report(settings: Settings, problems: Sequence[Problem]) -> None:
    """Say one line per problem.

    Raises:
        InsideError: a problem is no mere warning, or any is and ``PREFLIGHT=strict``.
    """
    for problem in problems:
        say("preflight", f"{'warning' if problem.warning else 'problem'}: {problem.where}: {problem.message}")
    blocking = [problem for problem in problems if settings.preflight == "strict" or not problem.warning]
    if settings.preflight != "warn" and blocking:
        # What a user must mend first: a wrong variable hides a missing key, not the other way round.
        first = min(blocking, key=lambda problem: problem.exit_code != ExitCode.CONFIGURATION)
        count = f"{len(blocking)} problem{'s' if len(blocking) > 1 else ''}"
        raise InsideError(f"preflight: {count}; {first.where}: {first.message}", first.exit_code)


def _machine(settings: Settings) -> Iterator[Problem]:
    free = shutil.disk_usage(settings.output_path).free
    if free < _LEAST_FREE_BYTES:
        message = f"{free / 1e6:.0f} MB are free; a leaderboard needs at least {_LEAST_FREE_BYTES / 1e9:.0f} GB"
        yield Problem(f"DATA_DIR={settings.data_dir}", message, ExitCode.CONFIGURATION, warning=True)
    today = datetime.date.today()
    if today < _NOT_BEFORE:
        yield Problem("clock", f"says {today}, before this HELM was released", ExitCode.CONFIGURATION)


def _judges(settings: Settings, judges: Sequence[Mapping[str, Any]], credentials: Credentials) -> Iterator[Problem]:
    redefined = judges_module.redefined(settings)
    for judge in judges:
        name = judge.get("deployment") or judge["model"]
        if name in redefined:
            continue
        reason = None
        if judge.get("retired") and datetime.date.fromisoformat(judge["retired"]) <= datetime.date.today():
            reason = f"was withdrawn by its provider on {judge['retired']}"
        elif judge.get("private") and name.partition("/")[0] not in credentials.own_text:
            reason = f"is reached through {name}, which only its owner can use"
        if reason:
            message = f"{reason}; name another with JUDGE_OVERRIDES={name}=<model> (scores are then another judge's)"
            yield Problem(f"judge {judge['model']}", message, ExitCode.CREDENTIALS)


def _data(settings: Settings, plan: Mapping[str, Any], credentials: Credentials) -> Iterator[Problem]:
    for file in datasets_lock.differing(settings.data_dir, settings.prod_env):
        yield Problem(datasets_lock.FILE_NAME, file, ExitCode.UPSTREAM_DATA, warning=True)
    yield from _gated(settings, functions(settings, plan), credentials)
    tokens = {dataset.get("variable") for dataset in _gated_datasets(settings) if not dataset["data_paths"]}
    for credential in settings.board.leaderboard.get("credentials", []):
        name = credential["variable"]
        if name not in tokens and not _is_set(name, credentials) and not credentials.own_text:
            yield Problem(
                name, f"is not set; {credential['purpose']}", ExitCode.CREDENTIALS, warning=not credential["required"]
            )


def _gated(settings: Settings, functions: set[str], credentials: Credentials) -> Iterator[Problem]:
    """Data that the runs read and the user has not named, or has no token for.

    A token is only asked for where the hub will be, and without one the runs may still start
    unless the catalogue knows better: many data sets merely may ask for accepted terms.
    """
    required = {item["variable"] for item in settings.board.leaderboard.get("credentials", []) if item["required"]}
    for dataset in _gated_datasets(settings):
        variable, copies = dataset.get("variable"), dataset["data_paths"]
        if not variable or _is_set(variable, credentials) or not functions.intersection(dataset["used_by"]):
            continue
        if all(Path(path).exists() for path in copies) if copies else settings.offline:
            continue
        message = f"{variable} is not set; {dataset['how']}"
        warning = not copies and variable not in required
        yield Problem(f"dataset {dataset['name']}", message, ExitCode.CREDENTIALS, warning)


def _gated_datasets(settings: Settings) -> Sequence[Mapping[str, Any]]:
    datasets: Sequence[Mapping[str, Any]] = settings.board.leaderboard.get("gated_datasets", [])
    return datasets


def _is_set(variable: str, credentials: Credentials) -> bool:
    return variable in credentials.values or bool(os.environ.get(variable))


def _beyond_reach(
    helm: HelmProcess,
    settings: Settings,
    plan: Mapping[str, Any],
    judges: Sequence[Mapping[str, Any]],
    credentials: Credentials,
) -> Iterator[Problem]:
    """Models and judges that OFFLINE=1 forbids to ask; their requests would be retried for hours."""
    judged_by = _judged_by(judges, credentials)
    host = urlsplit(settings.endpoint.base_url).hostname if settings.endpoint else None
    for found in helm.call(
        "helm_repro.inside.checks.reach:unreachable",
        deployments=list(dict.fromkeys([*_deployments(settings, plan), *judged_by])),
        local_path=str(settings.local_path),
        hosts=[host] if host else [],
    ):
        name = found["deployment"]
        message = (
            f"asks {found['where']}, and OFFLINE=1 lets HELM reach nothing but this machine and the host of "
            f"MODEL_BASE_URL{f' ({host})' if host else ''}; use a model that runs there"
            + (f", for a judge with JUDGE_OVERRIDES={name}=<model>" if name in judged_by else "")
        )
        yield Problem(f"{'judge' if name in judged_by else 'model'} {name}", message, ExitCode.CONFIGURATION)


def _deployments(settings: Settings, plan: Mapping[str, Any]) -> list[str]:
    """The deployments of the models under evaluation that HELM asks, as the run specs say.

    MedHELM's entries name a deployment that is not the model's default one.
    """
    at_endpoint = own_models.asked_at_endpoint(settings)
    adapters = [spec["run_spec"]["adapter_spec"] for spec in running(settings, plan)]
    return list(dict.fromkeys(a["model_deployment"] for a in adapters if a["model"] not in at_endpoint))


def _judged_by(judges: Sequence[Mapping[str, Any]], credentials: Credentials) -> dict[str, Mapping[str, Any]]:
    """Deployment -> the judge that it answers for."""
    return {deployment: judge for judge in judges if (deployment := judges_module.asked(judge, credentials))}


def _models(
    helm: HelmProcess,
    settings: Settings,
    plan: Mapping[str, Any],
    judges: Sequence[Mapping[str, Any]],
    credentials: Credentials,
) -> Iterator[Problem]:
    for name in own_models.asked_at_endpoint(settings):
        yield from _endpoint(settings, name, credentials)
    judged_by = _judged_by(judges, credentials)
    results = helm.call(
        "helm_repro.inside.checks.probe:probe",
        deployments=list(dict.fromkeys([*_deployments(settings, plan), *judged_by])),
        local_path=str(settings.local_path),
    )
    for result in results:
        judge = judged_by.get(result["deployment"])
        if result["error"]:
            failure = failures.classify(result["error"])
            hint = (
                _key_hint(result["deployment"], credentials) if failure.name == "authentication" else failure.next_step
            )
            # Redacted before it is cut, since half a key would not be recognized.
            reason = " ".join(credentials.redact(failures.without_requests(result["error"])).split())[:300]
            message = f"{failure.name}: {reason} -> {hint}"
            passing = failure.transient or failure is failures.OTHER
            if judge is not None and judge["on_failure"] == "score-missing":
                # HELM would only log it and write a score all the same: MedHELM's lowest grade, for every answer
                # (LLMJuryMetric, helm/benchmark/metrics/llm_jury_metrics.py), or the mean of the other judges.
                passing = False
            kind = "model" if judge is None else "judge"
            code = failure.exit_code if failure is not failures.OTHER else ExitCode.API
            yield Problem(f"{kind} {result['deployment']}", message, code, warning=passing)
        elif result["skipped"]:
            say("preflight", f"{result['model']} {result['skipped']}")
        elif result["text"] is not None:
            say("preflight", f"{result['model']} answers {result['text']!r}")


def _endpoint(settings: Settings, name: str, credentials: Credentials) -> Iterator[Problem]:
    assert settings.endpoint is not None
    try:
        key = credentials.values.get("MODEL_API_KEY")
        answer = endpoint_probe.probe(settings.endpoint, name, key, by_proxy=not settings.offline)
    except InsideError as error:
        yield Problem(f"model {name}", str(error), error.exit_code)
    else:
        say("preflight", f"{name} at {settings.endpoint.base_url} answers {answer!r}")


def _key_hint(deployment: str, credentials: Credentials) -> str:
    organization = deployment.partition("/")[0]
    for credential in CREDENTIALS:
        if organization in credential.organizations:
            state = "was refused" if credential.variable in credentials.values else "is not set"
            return f"{credential.variable} {state}"
    return f"check the key of {organization}"
