"""A judge that HELM names but nobody serves any more, answered for by another model.

JUDGE_OVERRIDES registers the judge's deployment anew with this client (see ``judges``).
HELM's annotators go on naming the retired judge; what is asked is the substitute,
through its own deployment, client and key. Requests are cached as the substitute's, so
its answers never pass as those of the judge it stands in for.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Optional

from helm.benchmark.model_deployment_registry import (
    ALL_MODEL_DEPLOYMENTS,
    DEPLOYMENT_NAME_TO_MODEL_DEPLOYMENT,
    ModelDeployment,
    get_model_deployment,
)
from helm.clients.auto_client import AutoClient
from helm.clients.client import Client
from helm.common.cache import BlackHoleCacheConfig, CacheConfig, MongoCacheConfig, SqliteCacheConfig
from helm.common.cache_backend_config import (
    BlackHoleCacheBackendConfig,
    CacheBackendConfig,
    MongoCacheBackendConfig,
    SqliteCacheBackendConfig,
)
from helm.common.general import get_credentials
from helm.common.request import Request, RequestResult


class SubstituteClient(Client):  # type: ignore[misc]
    """Passes every request on to ``substitute``, a model or deployment that HELM knows."""

    def __init__(self, cache_config: CacheConfig, substitute: str, local_path: str):
        deployment = find_deployment(substitute)
        self._deployment = deployment.name
        self._model = deployment.model_name
        clients = AutoClient(get_credentials(local_path), local_path, _backend(cache_config))
        # The client itself: AutoClient.make_request would retry inside of HELM's own retries.
        self._client = clients._get_client(deployment.name)

    def make_request(self, request: Request) -> RequestResult:
        return self._client.make_request(
            dataclasses.replace(request, model=self._model, model_deployment=self._deployment)
        )


CLASS_NAME = f"{SubstituteClient.__module__}.{SubstituteClient.__name__}"


def answering(name: str) -> Optional[ModelDeployment]:
    """What answers under this deployment's name, past a substitute; ``None`` if HELM knows none."""
    try:
        deployment = get_model_deployment(name)
        if deployment.client_spec.class_name == CLASS_NAME:
            return find_deployment(deployment.client_spec.args["substitute"])
    except Exception:  # HELM's generators of hub models also end in whatever the hub's client raises
        return None
    return deployment


def find_deployment(name: str) -> ModelDeployment:
    """The deployment of that name, or else the model's default one.

    As HELM's ``get_default_model_deployment_for_model``, but never a deployment that is itself
    answered for by a substitute: ``stanfordhealthcare/gpt-4o=openai/gpt-4o`` makes the former the
    newest deployment of the model.

    Raises:
        ModelDeploymentNotFoundError: HELM knows no such deployment or model.
    """
    if name not in DEPLOYMENT_NAME_TO_MODEL_DEPLOYMENT:
        of_model = [d for d in ALL_MODEL_DEPLOYMENTS if d.model_name == name and d.client_spec.class_name != CLASS_NAME]
        for deployment in [*reversed([d for d in of_model if not d.deprecated]), *reversed(of_model)]:
            return deployment
    return get_model_deployment(name)


def _backend(config: CacheConfig) -> CacheBackendConfig:
    """The backend that ``config``, which is for one host organization, was made by (cache_backend_config.py)."""
    if isinstance(config, SqliteCacheConfig):
        return SqliteCacheBackendConfig(str(Path(config.path).parent))
    if isinstance(config, MongoCacheConfig):
        return MongoCacheBackendConfig(config.uri)
    if isinstance(config, BlackHoleCacheConfig):
        return BlackHoleCacheBackendConfig()
    raise ValueError(f"{type(config).__name__}: a cache that judges cannot share")
