"""What a run fetches beside its data: tokenizers, weights of hub models, NLTK's data. Runs with HELM imported."""

from __future__ import annotations

from typing import Any

from helm_repro.inside.deployments.client_kinds import has_hub_weights

# helm/benchmark/metrics/nltk_helper.py: punkt for NLTK before 3.9, punkt_tab since.
_NLTK = ("punkt", "punkt_tab")


def prefetch(deployments: list[str], local_path: str) -> list[str]:
    """Fetch for these deployments; return what could not be fetched."""
    from helm.benchmark.config_registry import (
        register_builtin_configs_from_helm_package,
        register_configs_from_directory,
    )

    register_builtin_configs_from_helm_package()
    register_configs_from_directory(local_path)
    problems = _nltk()
    for deployment in deployments:
        try:
            _fetch(deployment, local_path)
        except Exception as error:
            problems.append(f"{deployment}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return problems


def _nltk() -> list[str]:
    import nltk

    for package in _NLTK:
        nltk.download(package, quiet=True)
    # One of the two is enough, and which one is NLTK's choice.
    found = []
    for package in _NLTK:
        try:
            nltk.data.find(f"tokenizers/{package}")
            found.append(package)
        except LookupError:
            continue
    return [] if found else [f"NLTK data {' and '.join(_NLTK)} cannot be downloaded"]


def _fetch(deployment: str, local_path: str) -> None:
    from helm.benchmark.model_deployment_registry import get_model_deployment
    from helm.common.cache_backend_config import BlackHoleCacheBackendConfig
    from helm.common.general import get_credentials
    from helm.common.tokenization_request import TokenizationRequest
    from helm.tokenizers.auto_tokenizer import AutoTokenizer

    found = get_model_deployment(deployment)
    if found.tokenizer_name:
        tokenizer = AutoTokenizer(get_credentials(local_path), BlackHoleCacheBackendConfig())
        result = tokenizer.tokenize(TokenizationRequest("warm", tokenizer=found.tokenizer_name))
        if not result.success:
            raise RuntimeError(result.error)
    if has_hub_weights(found.client_spec.class_name):
        _weights(found)


def _weights(deployment: Any) -> None:
    from pathlib import Path

    import huggingface_hub

    arguments = deployment.client_spec.args or {}
    repository = arguments.get("pretrained_model_name_or_path") or deployment.model_name
    if not Path(repository).is_dir():
        huggingface_hub.snapshot_download(repository, revision=arguments.get("revision"))
