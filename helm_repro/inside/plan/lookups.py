"""HELM's registry lookups, made short while run specs are constructed.

HELM imports all its modules of run specs to find one function by its name, and through a scenario of
one of them come datasets, pandas and pyarrow, for half a second; it searches the package again each
time it constructs a run spec, and its list of models for every tag (``get_run_spec_function``,
helm/benchmark/run_spec.py, and ``ModelRunExpander``, helm/benchmark/run_expander.py): nine tenths of the
time a plan takes. A name belongs to one function only, and nothing is registered meanwhile, so the
answers stay the same.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

_RUN_SPECS = "helm.benchmark.run_specs"
_REGISTERS = re.compile(r"""@run_spec_function\(\s*["']([^"']+)["']\s*\)""")
_PURE_LOOKUPS = (
    "helm.benchmark.model_metadata_registry:get_model_names_with_tag",
    "helm.benchmark.run_expander:get_model_names_with_tag",
)


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Within this context each lookup is made once per argument; callers get copies of lists.

    A run spec function's module is imported alone; the others only if no module says that it has the function.
    """
    with contextlib.ExitStack() as stack:
        for lookup in _PURE_LOOKUPS:
            module_name, _, name = lookup.partition(":")
            module = importlib.import_module(module_name)
            if hasattr(module, name):  # not every version of HELM has each
                stack.enter_context(mock.patch.object(module, name, _once(getattr(module, name))))
        factory = importlib.import_module("helm.benchmark.run_spec_factory")
        found = functools.partial(_run_spec_function, factory.get_run_spec_function)
        stack.enter_context(mock.patch.object(factory, "get_run_spec_function", found))
        yield


@functools.cache
def run_spec_modules() -> dict[str, str]:
    """Name of each of HELM's run spec functions -> its module, as the modules' texts say."""
    found: dict[str, str] = {}
    spec = importlib.util.find_spec(_RUN_SPECS)
    for folder in map(Path, (spec and spec.submodule_search_locations) or ()):
        for path in folder.glob("*.py"):
            names = _REGISTERS.findall(path.read_text(encoding="utf-8"))
            found.update(dict.fromkeys(names, f"{_RUN_SPECS}.{path.stem}"))
    return found


def _run_spec_function(get: Callable[[str], Any], name: str) -> Any:
    module = run_spec_modules().get(name)
    if module:
        importlib.import_module(module)
        registered = importlib.import_module("helm.benchmark.run_spec")._REGISTERED_RUN_SPEC_FUNCTIONS
        if name in registered:
            return registered[name]
    return get(name)


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    cached = functools.cache(function)

    @functools.wraps(function)
    def lookup(*arguments: Any, **named: Any) -> Any:
        value = cached(*arguments, **named)
        return list(value) if isinstance(value, list) else value

    return lookup
