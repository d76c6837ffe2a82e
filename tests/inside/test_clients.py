"""Every deployment of HELM 0.5.16 can be asked from the default image, or the documentation says why not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helm_repro.inside.deployments import clients
from tests.conftest import ROOT

_SCRIPT = """
import collections, json, sys
from helm.benchmark.config_registry import register_builtin_configs_from_helm_package
from helm.benchmark.model_deployment_registry import ALL_MODEL_DEPLOYMENTS
from helm_repro.inside.deployments import clients
register_builtin_configs_from_helm_package()
missing = collections.Counter()
for deployment in ALL_MODEL_DEPLOYMENTS:
    lacks = clients.missing_package(deployment.name)
    if lacks:
        missing[deployment.client_spec.class_name.strip().removeprefix("helm.clients."), lacks] += 1
rows = sorted([name, count, lacks] for (name, lacks), count in missing.items())
print(json.dumps({"deployments": len(ALL_MODEL_DEPLOYMENTS), "missing": rows}))
"""


@pytest.mark.helm
@pytest.mark.skipif("HELM_REPRO_TEST_PYTHON" in os.environ, reason="that environment is not the image's lock")
def test_the_documentation_lists_what_cannot_be_asked(helm_python: Path) -> None:
    done = subprocess.run(
        [str(helm_python), "-c", _SCRIPT],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    text = (ROOT / "docs/models.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| (\d+) \| `([\w.]+)` \| \S.*\|$", text, re.MULTILINE)
    assert [[name, int(count), lacks] for name, count, lacks in rows] == found["missing"]
    assert f"lists {found['deployments']} deployments" in text


def test_modules_that_are_imported_late_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import json\nclass Client:\n    def ask(self):\n        from nowhere_to_be_found.deep import thing\n"
    (tmp_path / "late_client.py").write_text(source)
    (tmp_path / "early_client.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "broken_client.py").write_text("raise RuntimeError('odd\\ninstallation')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert clients.missing_module("late_client.Client ") == "nowhere_to_be_found"
    assert clients.missing_module("early_client.Client") == "nowhere_to_be_found"
    assert clients.missing_module("broken_client.Client") == "RuntimeError: odd installation"
    assert clients.missing_module("json.JSONDecoder") is None
    for name in ("late_client", "early_client", "broken_client"):
        sys.modules.pop(name, None)


def test_what_is_missing_comes_with_a_remedy() -> None:
    assert "gpu flavour" in clients.remedy("torch")
    assert "docs/models.md" in clients.remedy("dspy")
