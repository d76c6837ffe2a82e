"""Imports what run specs will need, so that forked workers find it imported.

HELM imports scenarios, metrics, clients and tokenizers when a run first needs them;
basic metrics alone import pandas, scipy and scikit-learn.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence

from helm.benchmark.model_deployment_registry import get_model_deployment
from helm.benchmark.run_spec import RunSpec
from helm.benchmark.tokenizer_config_registry import get_tokenizer_config


def import_classes_of(run_specs: Sequence[RunSpec]) -> None:
    """Import the modules of all classes that the run specs name.

    A module that cannot be imported is left for the run to fail on, with HELM's own message.
    """
    for module in {class_name.rpartition(".")[0] for spec in run_specs for class_name in _class_names(spec)}:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def _class_names(run_spec: RunSpec) -> Iterator[str]:
    yield run_spec.scenario_spec.class_name
    yield from (spec.class_name for spec in run_spec.metric_specs)
    yield from (spec.class_name for spec in run_spec.annotators or [])
    with contextlib.suppress(ValueError):
        deployment = get_model_deployment(run_spec.adapter_spec.model_deployment)
        yield deployment.client_spec.class_name
        if deployment.window_service_spec:
            yield deployment.window_service_spec.class_name
        tokenizer = get_tokenizer_config(deployment.tokenizer_name or deployment.name)
        if tokenizer:
            yield tokenizer.tokenizer_spec.class_name
