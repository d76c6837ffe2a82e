"""One real request to a model, through HELM's own client. Runs with HELM imported.

The cheapest way to learn that a key is wrong, a model retired or a package missing,
before a leaderboard is paid for. No cache is read or written and nothing is retried.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.deployments import client_kinds
from helm_repro.inside.deployments.clients import missing_package, remedy
from helm_repro.inside.deployments.device import device
from helm_repro.inside.deployments.huggingface import CLIENT
from helm_repro.inside.inputs.credentials import passed_on
from helm_repro.inside.parallel import log_lines

PROMPT = "Reply with the word ok."
_MAX_TOKENS = 16
# HELM's names of these models say more than OpenAI's: dall-e-3-hd-natural.
_OPENAI_IMAGES = ("dall-e-2", "dall-e-3")
_LISTED = ("dalle2_client", "dalle3_client")


def probe(deployments: list[str], local_path: str) -> list[dict[str, Any]]:
    """Ask each model deployment once.

    Returns:
        Per deployment ``{"model", "deployment", "text", "error", "skipped"}``: one of ``text`` (the answer's first
        characters), ``error`` (why there is none) and ``skipped`` (why it was not asked, and where it will be) is set.
    """
    from helm.benchmark.config_registry import (
        register_builtin_configs_from_helm_package,
        register_configs_from_directory,
    )
    from helm.benchmark.model_deployment_registry import get_model_deployment

    from helm_repro.inside.deployments.substitute import answering

    log_lines.rewrite(passed_on(os.environ, Path(local_path)).redact)
    register_builtin_configs_from_helm_package()
    register_configs_from_directory(local_path)
    results = []
    for deployment in deployments:
        result: dict[str, Any] = {
            "model": deployment,
            "deployment": deployment,
            "text": None,
            "error": None,
            "skipped": None,
        }
        try:
            found = get_model_deployment(deployment)
            result["model"] = found.model_name or deployment
            answers = answering(deployment) or found
            if missing := missing_package(answers.name):
                result["error"] = f"No module named {missing!r}: {remedy(missing)}"
            else:
                result |= _outcome(found, answers, local_path)
        except Exception as error:
            result["error"] = f"{type(error).__name__}: {error}"
        results.append(result)
    return results


def _outcome(deployment: Any, answers: Any, local_path: str) -> dict[str, Optional[str]]:
    """Ask, or say why not: what is set of ``text``, ``error`` and ``skipped``.

    Args:
        deployment: as HELM asks for it.
        answers: what answers there, which is another one where a judge is replaced.
    """
    client = answers.client_spec.class_name
    if client_kinds.runs_here(client):
        # Loading weights takes minutes; whether they load is found out when the run starts.
        return {"skipped": f"runs in this container{_where(answers)}"}
    if client_kinds.has_images_cached(client):
        return {"skipped": "is not asked: HELM has only images that were put into its cache before"}
    if client_kinds.makes_images(client):
        return _look_up(deployment, local_path)
    text, error = _ask(deployment, local_path)
    return {"text": text, "error": error}


def _where(deployment: Any) -> str:
    """The device, for those clients that choose as HuggingFaceClient does."""
    if deployment.client_spec.class_name.strip() != CLIENT:
        return ""
    return f", on {device(deployment.client_spec.args or {})}"


def _ask(deployment: Any, local_path: str) -> tuple[Optional[str], Optional[str]]:
    from helm.common.media_object import MediaObject, MultimediaObject
    from helm.common.request import Request

    # This client takes no other prompt.
    in_parts = client_kinds.module_of(deployment.client_spec.class_name) == "vision_language.palmyra_vision_client"
    request = Request(
        model=deployment.model_name or deployment.name,
        model_deployment=deployment.name,
        prompt="" if in_parts else PROMPT,
        multimodal_prompt=MultimediaObject([MediaObject("text/plain", text=PROMPT)]) if in_parts else None,
        max_tokens=_MAX_TOKENS,
        temperature=0,
    )
    # AutoClient.make_request would wait and retry for minutes (helm/proxy/retry.py).
    result = _client(deployment, local_path).make_request(request)
    if not result.success:
        return None, str(result.error)
    return (result.completions[0].text if result.completions else "")[:60], None


def _look_up(deployment: Any, local_path: str) -> dict[str, Optional[str]]:
    """Whether the key is good and the model served, from OpenAI's list of models, which costs nothing."""
    if client_kinds.module_of(deployment.client_spec.class_name).rpartition(".")[2] not in _LISTED:
        return {"skipped": "is not asked: an image costs money"}
    import openai

    try:
        served = {model.id for model in _client(deployment, local_path).client.models.list()}
    except openai.PermissionDeniedError:
        return {"skipped": "is not asked: an image costs money, and this key may not list models"}
    name = next((name for name in _OPENAI_IMAGES if name in deployment.name), deployment.name)
    if name not in served:
        return {"error": f"model_not_found: OpenAI does not list {name} for this key"}
    return {"skipped": "is served to this key; it is not asked, an image costs money"}


def _client(deployment: Any, local_path: str) -> Any:
    from helm.clients.auto_client import AutoClient
    from helm.common.cache_backend_config import BlackHoleCacheBackendConfig
    from helm.common.general import get_credentials

    clients = AutoClient(get_credentials(local_path), local_path, BlackHoleCacheBackendConfig())
    return clients._get_client(deployment.name)
