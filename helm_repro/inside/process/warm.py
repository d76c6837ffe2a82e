"""Imports what run specs will need, so that forked workers find it imported.

HELM imports scenarios, clients, tokenizers and metrics when a run first needs them. The
first request needs no metrics, and the basic metrics alone import pandas, scipy and
scikit-learn, for seconds: hence two steps.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from helm.benchmark.config_registry import (
    register_builtin_configs_from_helm_package,
    register_configs_from_directory,
)
from helm.benchmark.model_deployment_registry import get_default_model_deployment_for_model, get_model_deployment
from helm.benchmark.run_spec import RunSpec
from helm.benchmark.tokenizer_config_registry import get_tokenizer_config

# Clients' libraries that import more of themselves at the first request, and what they parse answers into.
_LATE_IMPORTS = {
    "httpx": ("httpcore",),
    "openai": ("openai.resources.chat", "openai.resources.completions"),
    "anthropic": ("anthropic.resources.messages",),
}
_ANSWERS = {
    "openai": (("openai.types.chat", "ChatCompletion"), ("openai.types", "Completion")),
    "anthropic": (("anthropic.types", "Message"),),
}
# What annotators ask; which, they say only when they run.
_JUDGES_CLIENTS = (
    "helm.clients.openai_client",
    "helm.clients.anthropic_client",
    "helm.clients.together_client",
)


def modules_of_scenarios(class_names: Iterable[str]) -> list[str]:
    """Modules of scenarios, given their classes."""
    return list(dict.fromkeys(map(_module, class_names)))


def modules_of_deployments(names: Iterable[str]) -> list[str]:
    """Modules of the clients, window services and tokenizers of model deployments."""
    return list(dict.fromkeys(_module(class_name) for name in dict.fromkeys(names) for class_name in _classes(name)))


def modules_of_models(models: Sequence[str], local_path: str) -> list[str]:
    """What the first requests to these models import, in steps; nothing for a model that HELM does not know."""
    register_builtin_configs_from_helm_package()
    register_configs_from_directory(local_path)
    modules = modules_of_deployments(filter(None, map(get_default_model_deployment_for_model, models)))
    return [*modules, "helm_repro.inside.process.preload_clients"] if modules else []


def import_for_requests(modules: Iterable[str], judged: bool = False) -> None:
    """Import what the first requests need.

    Args:
        modules: of scenarios and deployments, by the functions above.
        judged: whether judges will be asked.
    """
    _import(modules)
    if judged:
        _import(_JUDGES_CLIENTS)
    import_late()
    for library in sys.modules.keys() & _ANSWERS.keys():
        for module, name in _ANSWERS[library]:
            with contextlib.suppress(Exception):  # another version of the library
                _build(getattr(sys.modules[module], name), set())


def import_late() -> None:
    """Import what the imported libraries of clients import at their first request."""
    for library in sys.modules.keys() & _LATE_IMPORTS.keys():
        _import(_LATE_IMPORTS[library])


def import_for_results(run_specs: Sequence[RunSpec]) -> None:
    """Import the modules of annotators and metrics."""
    named = (spec for run_spec in run_specs for spec in [*(run_spec.annotators or ()), *run_spec.metric_specs])
    _import(_module(spec.class_name) for spec in named)


def _import(modules: Iterable[str]) -> None:
    # A module that cannot be imported is left for the run to fail on, with HELM's own message.
    for module in dict.fromkeys(modules):
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def _module(class_name: str) -> str:
    return class_name.rpartition(".")[0]


def _classes(deployment_name: str) -> Iterator[str]:
    # A tokenizer that HELM makes from the hub ends in whatever the hub's client raises; the run will say so.
    with contextlib.suppress(Exception):
        deployment = get_model_deployment(deployment_name)
        yield deployment.client_spec.class_name
        if deployment.window_service_spec:
            yield deployment.window_service_spec.class_name
        tokenizer = get_tokenizer_config(deployment.tokenizer_name or deployment.name)
        if tokenizer:
            yield tokenizer.tokenizer_spec.class_name


def _build(answer: Any, built: set[Any]) -> None:
    """Build a pydantic model and those of its fields now.

    These libraries defer that until an answer is parsed. When several threads then get their first
    answers at once, some fail with ``AttributeError: __pydantic_core_schema__`` (openai 2.30,
    pydantic 2.12); HELM waits 10 s and pays for the request again.
    """
    if answer in built:
        return
    built.add(answer)
    if hasattr(answer, "model_rebuild"):
        answer.model_rebuild()
        for field in answer.model_fields.values():
            _build(field.annotation, built)
    for part in typing.get_args(answer):
        if not isinstance(part, str):
            _build(part, built)
