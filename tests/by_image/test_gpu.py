"""helm-repro:smoke-gpu on a machine without a GPU: a model in the container, on the CPU."""

from __future__ import annotations

import dataclasses
import json
import os
import re

import docker
import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.images.bake import build
from helm_repro.images.definition import Options
from helm_repro.results.scores import read_scores
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(
        os.environ.get("HELM_REPRO_TEST_ALL_ENVIRONMENTS") != "1",
        reason="builds PyTorch, 5 GB; set HELM_REPRO_TEST_ALL_ENVIRONMENTS=1",
    ),
    pytest.mark.timeout(1800),
]

PYTHON = "/opt/helm/bin/python"
MISSING = """
import json
from helm.benchmark.config_registry import register_builtin_configs_from_helm_package
from helm.benchmark.model_deployment_registry import ALL_MODEL_DEPLOYMENTS
from helm_repro.inside.deployments import clients
register_builtin_configs_from_helm_package()
missing = {}
for deployment in ALL_MODEL_DEPLOYMENTS:
    name = deployment.client_spec.class_name.strip().removeprefix("helm.clients.")
    missing[name] = missing.get(name) or clients.missing_package(deployment.name)
print(json.dumps(missing))
"""


@pytest.fixture(scope="module")
def gpu_image(client: docker.DockerClient, catalogue: Catalogue) -> str:
    (name,) = build(catalogue, ["smoke"], dataclasses.replace(Options.from_environment(), gpu=True))
    return name


@pytest.fixture
def model(gpu_image, containers, tmp_path):
    """A folder with a tiny random model, made by the image's own PyTorch and transformers."""
    folder = tmp_path / "models"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    code, output = containers.finish(
        gpu_image,
        *("/support/tiny_model.py", "/models/tiny"),
        entrypoint=PYTHON,
        network_mode="none",
        volumes={
            str(ROOT / "tests" / "support"): {"bind": "/support", "mode": "ro"},
            str(folder): {"bind": "/models", "mode": "rw"},
        },
    )
    assert code == 0, output
    return folder


def test_a_folder_is_evaluated_without_network_and_without_a_gpu(gpu_image, containers, model, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 4321, 4321)
    options = {
        "network_mode": "none",
        "user": "4321:4321",
        "read_only": True,
        "tmpfs": {"/tmp": ""},
        "volumes": {
            str(data): {"bind": "/data", "mode": "rw"},
            str(model): {"bind": "/models", "mode": "ro"},
        },
    }
    environment = {"LOCAL_MODEL_PATH": "/models/tiny", "MAX_EVAL_INSTANCES": "2", "OFFLINE": "1"}
    code, output = containers.finish(gpu_image, "run", "summarize", environment=environment, **options)
    assert code == 0, output
    assert "preflight huggingface/tiny runs in this container, on the CPU, because no GPU is visible" in output
    suite = data / "benchmark_output/runs/my-suite"
    assert len({score.run for score in read_scores(suite)}) == 10
    assert "torch" in json.loads((suite / "receipt.json").read_text())["packages"]
    for device in ("cuda", "all"):
        code, output = containers.finish(
            gpu_image, "preflight", environment={**environment, "SUITE_NAME": device, "MODEL_DEVICE": device}, **options
        )
        assert code == 2, output
        assert "no GPU is visible in this container -> start the container with --gpus all" in output.splitlines()[-1]


def test_it_can_run_the_clients_that_the_documentation_promises(gpu_image, containers):
    container = containers.start(
        gpu_image, "-c", MISSING, entrypoint=PYTHON, network_mode="none", working_dir="/opt/helm-repro"
    )
    assert container.wait(timeout=300)["StatusCode"] == 0, container.logs().decode()
    missing = json.loads(container.logs(stdout=True, stderr=False).splitlines()[-1])
    rows = re.findall(r"^\| `([\w.]+)` \| \d+ \| `[\w.]+` \| (\S.*) \|$", (ROOT / "docs/models.md").read_text(), re.M)
    promised = {name for name, why in rows if why.endswith(": gpu flavour")}
    assert {"huggingface_client.HuggingFaceClient", "huggingface_pipeline_client.HuggingFacePipelineClient"} <= promised
    assert {name: missing[name] for name in promised} == dict.fromkeys(promised)


def test_its_size(gpu_image, client, catalogue):
    smoke = catalogue.gpu_flavour(catalogue.leaderboards["smoke"])
    budget = catalogue.environment_of(smoke).size_budget_mb
    assert budget is not None
    assert client.images.get(gpu_image).attrs["Size"] <= budget * 10**6
