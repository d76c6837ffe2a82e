"""A run spec function is found without importing all of HELM's, and any function that HELM would find is found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOUND = """
import json, sys
from helm.benchmark import run_spec, run_spec_factory
from helm_repro.inside.plan.lookups import remembered, run_spec_modules

@run_spec.run_spec_function("of_a_plugin")
def of_a_plugin():
    ...

def imported():
    return sorted(name for name in sys.modules if name.startswith("helm.benchmark.run_specs."))

with remembered():
    mmlu = run_spec_factory.get_run_spec_function("mmlu")
    after_mmlu = imported()
    plugins = run_spec_factory.get_run_spec_function("of_a_plugin") is of_a_plugin
    unknown = run_spec_factory.get_run_spec_function("no_such_function")
run_spec.discover_run_spec_functions()
all_ = {name: function.__module__ for name, function in run_spec._REGISTERED_RUN_SPEC_FUNCTIONS.items()}
all_.pop("of_a_plugin")
print(json.dumps([mmlu.__module__, after_mmlu, plugins, unknown, all_ == run_spec_modules(), len(all_)]))
"""


@pytest.mark.helm
def test_functions_are_found_in_their_modules(helm_python: Path) -> None:
    done = subprocess.run([str(helm_python), "-c", FOUND], cwd=ROOT, capture_output=True, text=True, check=True)
    module, imported, of_a_plugin, unknown, all_found, count = json.loads(done.stdout.splitlines()[-1])
    assert module == "helm.benchmark.run_specs.lite_run_specs"
    assert imported == [module]
    assert of_a_plugin
    assert unknown is None
    assert all_found
    assert count > 300
