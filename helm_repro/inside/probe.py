"""One real request to a model, through HELM's own client. Runs with HELM imported.

The cheapest way to learn that a key is wrong, a model retired or a package missing,
before a leaderboard is paid for. No cache is read or written and nothing is retried.
"""

from __future__ import annotations

from typing import Any, Optional

from helm_repro.inside.clients import missing_package, remedy
from helm_repro.inside.device import device
from helm_repro.inside.huggingface import CLIENT

PROMPT = "Reply with the word ok."
_MAX_TOKENS = 16
# Loading weights takes minutes; whether they load is found out when the run starts.
_LOCAL_CLIENTS = (
    "huggingface_client",
    "huggingface_pipeline_client",
    "vision_language",
    "audio_language",
    "image_generation",
    "simple_client",
    "megatron",
)


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
            client = found.client_spec.class_name
            if missing := missing_package(deployment):
                result["error"] = f"No module named {missing!r}: {remedy(missing)}"
            elif any(name in client for name in _LOCAL_CLIENTS):
                result["skipped"] = f"runs in this container{_where(found)}"
            else:
                result["text"], result["error"] = _ask(result["model"], deployment, local_path)
        except Exception as error:
            result["error"] = f"{type(error).__name__}: {error}"
        results.append(result)
    return results


def _where(deployment: Any) -> str:
    """The device, for those clients that choose as HuggingFaceClient does."""
    if deployment.client_spec.class_name.strip() != CLIENT:
        return ""
    return f", on {device(deployment.client_spec.args or {})}"


def _ask(model: str, deployment: str, local_path: str) -> tuple[Optional[str], Optional[str]]:
    from helm.clients.auto_client import AutoClient
    from helm.common.cache_backend_config import BlackHoleCacheBackendConfig
    from helm.common.general import get_credentials
    from helm.common.request import Request

    clients = AutoClient(get_credentials(local_path), local_path, BlackHoleCacheBackendConfig())
    request = Request(model=model, model_deployment=deployment, prompt=PROMPT, max_tokens=_MAX_TOKENS, temperature=0)
    # AutoClient.make_request would wait and retry for minutes (helm/proxy/retry.py).
    result = clients._get_client(deployment).make_request(request)
    if not result.success:
        return None, str(result.error)
    return (result.completions[0].text if result.completions else "")[:60], None
