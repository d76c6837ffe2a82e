"""Which clients compute here, which ask elsewhere, and what preflight does about each. With HELM's own list."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, clean_environment
from tests.support.helm_config import write_model
from tests.support.openai_server import OpenAIServer

pytestmark = pytest.mark.helm

_KINDS = """
import json, pkgutil
from helm.benchmark.config_registry import register_builtin_configs_from_helm_package
from helm.benchmark.model_deployment_registry import ALL_MODEL_DEPLOYMENTS
import helm.clients
from helm_repro.inside.deployments import client_kinds as kinds

register_builtin_configs_from_helm_package()
NAMED = kinds._HUB_WEIGHTS | kinds._OTHER_WEIGHTS | kinds._CACHED_IMAGES | kinds._HOSTED_IMAGES
names = {d.name: d.client_spec.class_name for d in ALL_MODEL_DEPLOYMENTS}
folders = ("image_generation", "vision_language", "audio_language")
modules = {
    f"{folder}.{module.name}"
    for folder in folders
    for module in pkgutil.iter_modules([f"{helm.clients.__path__[0]}/{folder}"])
    if module.name.endswith("_client")
}
print(json.dumps({
    "here": sorted(name for name, client in names.items() if kinds.runs_here(client)),
    "images": sorted(name for name, client in names.items() if kinds.makes_images(client)),
    "asked": sorted(name for name, client in names.items() if kinds.asks_a_provider(client)),
    "unnamed": sorted(modules - NAMED),
}))
"""
_CALL = """
import importlib, json, sys
module, function, arguments = sys.argv[1:]
print(json.dumps(getattr(importlib.import_module(module), function)(**json.loads(arguments))))
"""
Call = Callable[..., Any]


def run(python: Path, script: str, *arguments: str, **variables: str) -> Any:
    done = subprocess.run(
        [str(python), "-c", script, *arguments],
        env={**clean_environment(PYTHONPATH=str(ROOT)), **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_client_of_helm_is_of_a_known_kind(helm_python: Path) -> None:
    found = run(helm_python, _KINDS)
    assert found["unnamed"] == ["image_generation.nudity_check_client", "vision_language.palmyra_vision_client"]
    here, asked = set(found["here"]), set(found["asked"])
    assert {"huggingface/qwen-vl", "huggingface/diva-llama", "craiyon/dalle-mini", "simple/model1"} <= here
    assert {"openai/dall-e-2", "openai/dall-e-3", "writer/palmyra-vision-003", "openai/gpt-4o-2024-11-20"} <= asked
    assert set(found["images"]) <= asked
    assert not here & asked


def probe(python: Path, deployment: str, folder: Path, key: str, address: str) -> dict[str, Any]:
    arguments = json.dumps({"deployments": [deployment], "local_path": str(folder)})
    variables = {"OPENAI_BASE_URL": address, "HELM_CREDENTIALS": f'openaiApiKey: "{key}"\nwriterEndpoint: "{address}"'}
    (result,) = run(python, _CALL, "helm_repro.inside.checks.probe", "probe", arguments, **variables)
    return dict(result)


def test_a_hosted_image_model_is_looked_up_and_no_image_is_made(helm_python: Path, tmp_path: Path) -> None:
    with OpenAIServer(api_key="good", models=["dall-e-3"]) as server:
        for name, key, field, text in (
            ("openai/dall-e-3-hd-natural", "good", "skipped", "is served to this key; it is not asked, an image costs"),
            ("openai/dall-e-2", "good", "error", "model_not_found: OpenAI does not list dall-e-2"),
            ("openai/dall-e-3", "wrong", "error", "AuthenticationError"),
            ("lexica/search-stable-diffusion-1.5", "good", "skipped", "is not asked: an image costs money"),
        ):
            found = probe(helm_python, name, tmp_path, key, server.base_url)
            assert text in found[field], found
        assert not server.sent


def test_a_hosted_vision_model_is_asked(helm_python: Path, tmp_path: Path) -> None:
    with OpenAIServer() as server:
        found = probe(helm_python, "writer/palmyra-vision-003", tmp_path, "good", server.base_url)
    assert found["skipped"] is None
    # The stand-in knows no such address, so the client has asked.
    assert "Invalid URL (POST /v1)" in found["error"]


def test_what_offline_forbids_is_known_without_asking(helm_python: Path, tmp_path: Path) -> None:
    write_model(tmp_path, "http://127.0.0.1:1/v1", name="local/here")
    write_model(tmp_path, "http://gpu:8000/v1", name="local/there")
    names = [
        *("openai/gpt-4o-2024-11-20", "google/gemini-2.0-flash-001", "writer/palmyra-vision-003", "openai/dall-e-3"),
        *("simple/model1", "huggingface/gpt2", "neurips/local", "local/here", "local/there", "nobody/knows"),
    ]
    arguments = {"deployments": names, "local_path": str(tmp_path), "hosts": ["GPU"]}
    found = run(helm_python, _CALL, "helm_repro.inside.checks.reach", "unreachable", json.dumps(arguments))
    assert {item["deployment"]: item["where"] for item in found} == {
        "openai/gpt-4o-2024-11-20": "its provider (OpenAIClient)",
        "google/gemini-2.0-flash-001": "its provider (VertexAIChatClient)",
        "writer/palmyra-vision-003": "its provider (PalmyraVisionClient)",
        "openai/dall-e-3": "its provider (DALLE3Client)",
    }
    found = run(
        helm_python, _CALL, "helm_repro.inside.checks.reach", "unreachable", json.dumps({**arguments, "hosts": []})
    )
    assert {"deployment": "local/there", "where": "http://gpu:8000/v1"} in found


def test_offline_ends_at_once_for_a_hosted_model(helm_entrypoint) -> None:
    done = helm_entrypoint("run", MODELS_TO_RUN="openai/gpt-4o-2024-11-20", OFFLINE="1", OPENAI_API_KEY="planted")
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "model openai/gpt-4o-2024-11-20: asks its provider (OpenAIClient), and OFFLINE=1 lets HELM reach" in last
