"""HELM's registry lookups, remembered while run specs are constructed.

HELM searches its package for run spec functions, and its list of models for every tag,
each time it constructs a run spec (``get_run_spec_function``, helm/benchmark/run_spec.py, and
``ModelRunExpander``, helm/benchmark/run_expander.py): nine tenths of the time a plan takes. Nothing is
registered meanwhile, so the answers stay the same.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

_PURE_LOOKUPS = (
    "helm.benchmark.run_spec:discover_run_spec_functions",
    "helm.benchmark.model_metadata_registry:get_model_names_with_tag",
    "helm.benchmark.run_expander:get_model_names_with_tag",
)


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Within this context each lookup is made once per argument; callers get copies of lists."""
    with contextlib.ExitStack() as stack:
        for lookup in _PURE_LOOKUPS:
            module_name, _, name = lookup.partition(":")
            module = importlib.import_module(module_name)
            if hasattr(module, name):  # not every version of HELM has each
                stack.enter_context(mock.patch.object(module, name, _once(getattr(module, name))))
        yield


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    cached = functools.cache(function)

    @functools.wraps(function)
    def lookup(*arguments: Any, **named: Any) -> Any:
        value = cached(*arguments, **named)
        return list(value) if isinstance(value, list) else value

    return lookup
