"""A hosted model that is newer than HELM: prompted as a chat model, found out if it does not exist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from helm_repro.results.scores import read_scores
from tests.support.openai_server import OpenAIServer

pytestmark = pytest.mark.helm
CONF = """entries: [
 {description: "simple_mcqa:model=text", priority: 1}
 {description: "gsm:model=text_code,follow_format_instructions=instruct", priority: 1}
]
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "newer.conf"
    path.write_text(CONF)
    return path


def plan(helm_entrypoint, conf: Path, model: str):
    done = helm_entrypoint("plan", "--json", RUN_ENTRIES_CONF_PATH=str(conf), MODELS_TO_RUN=model)
    return done, json.loads(done.stdout) if done.stdout else None


@pytest.mark.parametrize("model", ["openai/gpt-99", "anthropic/claude-99", "openrouter/openai/gpt-99"])
def test_entries_for_models_that_follow_instructions_are_constructed(helm_entrypoint, conf, model):
    done, found = plan(helm_entrypoint, conf, model)
    assert done.returncode == 0, done.stderr
    assert found["failed"] == []
    assert len(found["run_specs"]) == 2
    known, expected = plan(helm_entrypoint, conf, "openai/gpt-4o-2024-11-20")
    assert known.returncode == 0
    adapters = [spec["run_spec"]["adapter_spec"] for spec in found["run_specs"]]
    for adapter, theirs in zip(adapters, expected["run_specs"], strict=True):
        assert adapter["instructions"] == theirs["run_spec"]["adapter_spec"]["instructions"]


def test_a_misspelled_name_is_said_with_the_name_that_may_have_been_meant(helm_entrypoint, conf):
    done, _ = plan(helm_entrypoint, conf, "openai/gpt-4o-2024-11-2")
    assert "similar=openai/gpt-4o-2024-11-20" in done.stderr
    done, found = plan(helm_entrypoint, conf, "nobody/gpt-99")
    assert (done.returncode, found) == (2, None)
    assert "does not know this model" in done.stderr.splitlines()[-1]


@pytest.fixture
def openai(tmp_path: Path) -> Iterator[tuple[OpenAIServer, dict[str, str]]]:
    """A stand-in for OpenAI that has one model, and the variables to reach it."""
    conf = tmp_path / "one.conf"
    conf.write_text('entries: [{description: "simple_mcqa:model=text", priority: 1}]\n')
    with OpenAIServer(api_key="key-of-the-test", models=["gpt-99"]) as server:
        # OPENAI_BASE_URL is read by the OpenAI SDK, with which HELM asks models of this provider.
        yield (
            server,
            {
                "RUN_ENTRIES_CONF_PATH": str(conf),
                "MAX_EVAL_INSTANCES": "2",
                "OPENAI_API_KEY": "key-of-the-test",
                "OPENAI_BASE_URL": server.base_url,
            },
        )


def test_it_is_asked_and_scored(helm_entrypoint, openai, tmp_path):
    server, variables = openai
    done = helm_entrypoint("run", "summarize", MODELS_TO_RUN="openai/gpt-99", **variables)
    assert done.returncode == 0, done.stderr
    assert {record.model for record in server.records} == {"gpt-99"}
    suite = tmp_path / "data/benchmark_output/runs/my-suite"
    (score,) = read_scores(suite)
    assert score.run == "simple_mcqa:model=openai_gpt-99"
    recorded = json.loads((suite / "receipt.json").read_text())["own_models"]["openai/gpt-99"]
    assert recorded["known_to_helm"] is False
    # Started again, it is the same model: nothing is refused and nothing is asked.
    asked = len(server.records)
    again = helm_entrypoint("run", MODELS_TO_RUN="openai/gpt-99", **variables)
    assert again.returncode == 0, again.stderr
    assert len(server.records) == asked


def test_a_name_that_nobody_has_ends_before_anything_is_spent(helm_entrypoint, openai, tmp_path):
    server, variables = openai
    done = helm_entrypoint("run", MODELS_TO_RUN="openai/gpt-98", **variables)
    assert done.returncode == 5, done.stderr
    assert "model openai/gpt-98" in done.stderr.splitlines()[-1]
    assert not server.answered
    assert not list((tmp_path / "data/benchmark_output/runs").glob("*/*:*"))
