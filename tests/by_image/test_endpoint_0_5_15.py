"""A model behind MODEL_BASE_URL on HELM 0.5.15: its registration files have another age than those of 0.5.16."""

from __future__ import annotations

import json
import os

import docker
import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.images.bake import build
from helm_repro.results.scores import read_scores
from tests.conftest import ROOT
from tests.support.openai_answers import plausible_answer
from tests.support.openai_server import OpenAIServer

pytestmark = pytest.mark.docker

KEY = "planted-key"


@pytest.fixture(scope="module")
def safety_image(client: docker.DockerClient, catalogue: Catalogue) -> str:
    (name,) = build(catalogue, ["safety"])
    return name


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_an_evaluation(safety_image, containers, tmp_path, api):
    (tmp_path / "one.conf").write_text('entries: [{description: "simple_mcqa:model=text", priority: 1}]\n')
    with OpenAIServer() as server:
        server.api_key = KEY
        code, output = containers.finish(
            safety_image,
            "run",
            "summarize",
            environment={
                "MODELS_TO_RUN": "my-org/my-model",
                "MODEL_BASE_URL": server.base_url,
                "MODEL_API": api,
                "MODEL_API_KEY": KEY,
                "MODEL_DISPLAY_NAME": "My Model",
                "RUN_ENTRIES_CONF_PATH": "/one.conf",
                "SCHEMA_PATH": "/smoke.yaml",
                "MAX_EVAL_INSTANCES": "3",
                "OFFLINE": "1",
            },
            # Where the server listens.
            network_mode="host",
            user=f"{os.getuid()}:{os.getgid()}",
            volumes={
                str(tmp_path / "data"): {"bind": "/data", "mode": "rw"},
                str(tmp_path / "one.conf"): {"bind": "/one.conf", "mode": "ro"},
                str(ROOT / "leaderboards/smoke/schema_smoke.yaml"): {"bind": "/smoke.yaml", "mode": "ro"},
            },
        )
        # Each prompt once, and one for the preflight.
        asked = sum(server.answered.values())
    assert code == 0, output
    assert KEY not in output
    assert asked == 4
    suite = tmp_path / "data/benchmark_output/runs/my-suite"
    (state,) = suite.glob("simple_mcqa:*/scenario_state.json")
    for request in json.loads(state.read_text())["request_states"]:
        answer = plausible_answer(request["request"]["prompt"], {}, 0)
        assert request["result"]["completions"][0]["text"].strip() == answer
    (score,) = read_scores(suite)
    assert score.value is not None
    receipt = json.loads((suite / "receipt.json").read_text())
    assert receipt["helm_version"] == receipt["packages"]["crfm-helm"] == "0.5.15"
    assert receipt["own_models"]["my-org/my-model"]["variable"] == "MODEL_BASE_URL"
    assert "My Model" in (suite / "runs.json").read_text() or "My Model" in (suite / "schema.json").read_text()
