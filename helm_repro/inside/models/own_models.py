"""The user's own models: those behind MODEL_BASE_URL and those that run in this container.

One place decides, per model of MODELS_TO_RUN, who says how it is reached: the user's own
files in prod_env, else the variables, else HELM.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helm_repro.inside.data import offline
from helm_repro.inside.deployments import endpoint, huggingface, newer_models, registration
from helm_repro.inside.deployments.hub import Hub
from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.inputs.credentials import Credentials, secret
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.models import judges


def helm_keys(settings: Settings, credentials: Credentials) -> dict[str, str]:
    """HELM's names of the endpoint's key, for ``Credentials.helm_environment``.

    Raises:
        VariableError: the key cannot be one.
    """
    if settings.endpoint is None:
        return {}
    return endpoint.helm_keys(settings.endpoint, settings.models, credentials.values.get(endpoint.KEY_VARIABLE))


def asked_at_endpoint(settings: Settings) -> list[str]:
    """The models of MODELS_TO_RUN that MODEL_BASE_URL decides about.

    Raises:
        InsideError: a registration file of the user's is wrong.
    """
    if settings.endpoint is None:
        return []
    return [name for name in settings.models if not registration.user_deployments(settings.prod_env, name)]


def register(settings: Settings) -> None:
    """Check the user's registration files and write the suite's, or that of a command that only looks.

    Raises:
        InsideError: a file or variable is wrong, or the suite holds other answers of the same model.
    """
    try:
        registration.check_user_files(settings.prod_env)
        record = registration.registered_models(settings.prod_env, settings.suite)
        models = _models(settings, record)
        forgotten = _forgotten(settings, record, {model.name for model in models})
        models += judges.registrations(settings)
        # Also to leave out judges that are replaced no longer, and because HELM reads the user's entries from the
        # suite's files wherever there are any, be they without a model of ours.
        if models or registration.has_record(settings.prod_env, settings.suite):
            registration.register(
                models,
                settings.prod_env,
                settings.suite,
                settings.suite_path,
                folder=settings.registration,
                forgotten=forgotten,
            )
            registration.announce(models)
    except OSError as error:
        raise InsideError(f"DATA_DIR={settings.data_dir}: prod_env cannot be written to ({error})") from error


def facts(settings: Settings) -> dict[str, object]:
    """What was registered for the models of this invocation, for the receipt."""
    record = registration.registered(settings.prod_env, settings.suite)
    return {name: record[name]["facts"] for name in settings.models if name in record}


def _models(settings: Settings, record: Mapping[str, Mapping[str, Any]]) -> list[registration.Model]:
    version = str(settings.board.environment["helm_version"])
    home = Path(offline.cache_folders(settings.prod_env / "cache", os.environ)["HF_HOME"])
    hub = Hub(home, settings.offline, secret("HF_TOKEN", os.environ))
    models = []
    asked = asked_at_endpoint(settings)
    choices = settings.local_model.choices if settings.local_model else {}
    for name in settings.models:
        if users := registration.user_deployments(settings.prod_env, name):
            say("model", f"{name}: reached as prod_env/{registration.DEPLOYMENTS} says ({users[-1]})")
        elif settings.endpoint and name in asked:
            models.append(endpoint.model(settings.endpoint, name, version))
            if (tokenizer := endpoint.hub_tokenizer(settings.endpoint)) and not hub.holds(tokenizer):
                hub.snapshot("MODEL_TOKENIZER", tokenizer, tokenizer)
        elif settings.local_model and (
            local := huggingface.model(settings.local_model, name, hub, record.get(name, {}).get("facts"))
        ):
            models.append(local)
            choices = {}
        elif newer := newer_models.model(name):
            models.append(newer)
    names = " ".join(settings.models)
    for variable, value in choices.items():
        raise VariableError(variable, value, f"has no effect: HELM's HuggingFaceClient runs none of {names}")
    return models


def _forgotten(settings: Settings, record: Mapping[str, Mapping[str, Any]], decided: set[str]) -> list[str]:
    """Models that an earlier invocation registered for the suite, and that this one leaves to the user's files or HELM.

    Raises:
        VariableError: the suite has begun, or holds runs from elsewhere than the user's files say; the model is not
            silently asked there again, nor elsewhere.
    """
    forgotten = [name for name in settings.models if name in record and name not in decided]
    for name in forgotten:
        if users := registration.user_deployments(settings.prod_env, name):
            facts = {"variable": "MODELS_TO_RUN", "source": name}
            registration.refuse_other_source(
                registration.Model(name, deployment={"name": users[-1]}, facts=facts), settings.suite_path
            )
            continue
        if not _has_begun(settings.suite_path):
            continue
        was = record[name]["facts"]
        variables = huggingface.variables(was) or {was["variable"]: was["source"]}
        given = " ".join(f"{variable}={value}" for variable, value in variables.items())
        them = "it" if len(variables) == 1 else "them"
        raise VariableError(
            "MODELS_TO_RUN",
            name,
            f"suite {settings.suite} was started with {given}; set {them} again or choose another SUITE_NAME",
        )
    return forgotten


def _has_begun(suite_path: Path) -> bool:
    # Its name as suite.identity, a package after this one, has it.
    return (suite_path / "suite.json").is_file() or any(suite_path.glob("*/run_spec.json"))
