"""Judges, and the models that stand in for them (JUDGE_OVERRIDES).

Published scores were given by models that their providers have since withdrawn. A score
by another judge is another score, so a judge is only replaced by name, the substitution
is part of the suite's identity, and the suite is marked "judge replaced" wherever it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helm_repro.inside.deployments import registration
from helm_repro.inside.errors import VariableError
from helm_repro.inside.inputs.credentials import Credentials
from helm_repro.inside.inputs.settings import Settings

VARIABLE = "JUDGE_OVERRIDES"
_CLIENT = "helm_repro.inside.deployments.substitute.SubstituteClient"


def asked(judge: Mapping[str, Any], credentials: Credentials) -> str | None:
    """The deployment that HELM asks for this judge; ``None`` if that is not known.

    A judge without a deployment is HELM's critique model, which CRITIQUE_MODEL_NAME names
    (``get_critique_client`` in helm/clients/auto_client.py).
    """
    return judge.get("deployment") or credentials.values.get("CRITIQUE_MODEL_NAME")


def deployments(settings: Settings, credentials: Credentials) -> list[str]:
    """Deployments that the leaderboard's judges may be asked at; which runs ask which is in the plan."""
    listed = [asked(judge, credentials) for judge in settings.board.leaderboard.get("judges", [])]
    return sorted({*filter(None, listed), *settings.judge_overrides})


def redefined(settings: Settings) -> dict[str, str]:
    """Judge's deployment -> what answers there now, by JUDGE_OVERRIDES or by the user's own deployments file."""
    users = {entry["name"] for entry in registration.read_entries(settings.prod_env / registration.DEPLOYMENTS)}
    by_file = {
        judge["deployment"]: f"prod_env/{registration.DEPLOYMENTS}"
        for judge in settings.board.leaderboard.get("judges", [])
        if judge.get("deployment") in users
    }
    return {**by_file, **substitutes(settings)}


def marks(settings: Settings) -> list[str]:
    """One line for each judge that is another model than the one that gave the published scores."""
    return [
        f"judge replaced: {deployment} by {substitute}"
        for deployment, substitute in redefined(settings).items()
        if substitute != _model_of(settings, deployment)
    ]


def substitutes(settings: Settings) -> dict[str, str]:
    """Judge's deployment -> substitute, as JUDGE_OVERRIDES says.

    Raises:
        VariableError: a name is no judge's, or is also the name of a model under evaluation.
    """
    known = [judge for judge in settings.board.leaderboard.get("judges", []) if judge.get("deployment")]
    found: dict[str, str] = {}
    for name, substitute in settings.judge_overrides.items():
        judges = [judge for judge in known if name in (judge["model"], judge["deployment"])]
        if not judges and settings.conf_path == settings.board.conf_path:
            allowed = ", ".join(dict.fromkeys(judge["deployment"] for judge in known)) or "none"
            raise VariableError(VARIABLE, name, f"is no judge of {settings.board.id}, its judges: {allowed}")
        # A conf of the user's own may name judges that the catalogue does not know.
        for judge in judges or [{"model": name, "deployment": name}]:
            if substitute in settings.judge_overrides or substitute == judge["deployment"]:
                raise VariableError(VARIABLE, f"{name}={substitute}", "a substitute must not be replaced itself")
            for model in settings.models:
                if model in (judge["model"], judge["deployment"]):
                    raise VariableError(
                        VARIABLE,
                        f"{name}={substitute}",
                        f"{model} is also evaluated (MODELS_TO_RUN), and its answers would be the substitute's",
                    )
            found[judge["deployment"]] = substitute
    return found


def registrations(settings: Settings) -> list[registration.Model]:
    """The substitutes as HELM deployments under the judges' names.

    Raises:
        VariableError: as :func:`substitutes`, or the user's own file defines the name as well.
    """
    path = settings.prod_env / registration.DEPLOYMENTS
    users = {entry["name"] for entry in registration.read_entries(path)}
    models = []
    for deployment, substitute in substitutes(settings).items():
        if deployment in users:
            raise VariableError(VARIABLE, f"{deployment}={substitute}", f"{path} defines it as well; remove one")
        arguments = {"substitute": substitute, "local_path": str(settings.registration)}
        models.append(
            registration.Model(
                name=deployment,
                deployment={
                    "name": deployment,
                    "model_name": _model_of(settings, deployment),
                    "client_spec": {"class_name": _CLIENT, "args": arguments},
                },
                facts={"variable": VARIABLE, "source": substitute, "role": "judge"},
            )
        )
    return models


def _model_of(settings: Settings, deployment: str) -> str:
    judges = settings.board.leaderboard.get("judges", [])
    return next((str(judge["model"]) for judge in judges if judge.get("deployment") == deployment), deployment)
