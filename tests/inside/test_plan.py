"""Plans that lack something say so: entries for other models, names HELM cannot run by, no run at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helm_repro.inside.plan.entry import Entry
from helm_repro.inside.plan.make import _per_model
from tests.conftest import Entrypoint

FOR_OTHERS = 'entries: [{description: "simple_mcqa:model=maker/a", priority: 1}]\n'
NOT_CONSTRUCTIBLE = 'entries: [{description: "no_such_scenario:model=text", priority: 1}]\n'
RULE = {"base": "maker/a"}


def split(models: list[str], *descriptions: str, rule: dict[str, str] | None = None) -> tuple[list[str], list[str]]:
    """Descriptions of the entries that are planned, and those of the entries that are left out."""
    entries = [Entry(description) for description in descriptions]
    found = list(_per_model(entries, models, "all", rule, None))
    kept = [f"{entry.description} for {model}" for entry, model, reason in found if not reason]
    return kept, [f"{entry.description}: {reason}" for entry, _, reason in found if reason]


@pytest.mark.parametrize("models", [["maker/b"], ["maker/b", "maker/c"]])
def test_an_entry_that_fits_no_model_is_left_out_once(models: list[str]) -> None:
    kept, left_out = split(models, "x:model=maker/a", "x:model=maker/b")
    assert kept == ["x:model=maker/b for maker/b"]
    assert left_out == ["x:model=maker/a: is for maker/a"]


def test_entries_that_others_are_derived_from_are_not_left_out() -> None:
    kept, left_out = split(["maker/b", "maker/c"], "x:model=maker/a", "x:model=maker/b", rule=RULE)
    assert kept == ["x:model=maker/b for maker/b", "x for maker/c"]
    assert left_out == []


@pytest.mark.helm
@pytest.mark.parametrize(
    ("conf", "code", "counts"),
    [(FOR_OTHERS, 2, "0 entries could not be constructed, 1 were left out"),
     (NOT_CONSTRUCTIBLE, 6, "1 entries could not be constructed, 0 were left out")],
)  # fmt: skip
def test_no_run_spec_is_an_error_of_plan_and_of_run(
    helm_entrypoint: Entrypoint, tmp_path: Path, conf: str, code: int, counts: str
) -> None:
    (tmp_path / "mine.conf").write_text(conf)
    variables = {"MODELS_TO_RUN": "simple/model1", "RUN_ENTRIES_CONF_PATH": str(tmp_path / "mine.conf")}
    line = f"helm-repro: error smoke: no run spec for MODELS_TO_RUN=simple/model1: {counts}"

    planned = helm_entrypoint("plan", "--json", **variables)
    assert planned.returncode == code
    plan = json.loads(planned.stdout)
    assert (plan["run_specs"], len(plan["failed"]) + len(plan["left_out"])) == ([], 1)
    assert line in planned.stderr
    assert "0 of " in helm_entrypoint("plan", **variables).stdout

    done = helm_entrypoint("run", "summarize", **variables)
    assert done.returncode == code
    assert line in done.stderr
    # A suite is not claimed by what gives it no run.
    assert not (tmp_path / "data/benchmark_output/runs/my-suite/suite.json").exists()


@pytest.mark.helm
@pytest.mark.parametrize("word", ["plan", "run"])
def test_a_deployments_name_is_refused_with_that_of_its_model(helm_entrypoint: Entrypoint, word: str) -> None:
    done = helm_entrypoint(word, MODELS_TO_RUN="together/llama-3.1-8b-instruct-turbo")
    assert done.returncode == 2
    assert "MODELS_TO_RUN=together/llama-3.1-8b-instruct-turbo: " in done.stderr
    assert "did you mean meta/llama-3.1-8b-instruct-turbo?" in done.stderr


@pytest.mark.helm
def test_a_deployments_name_that_helm_can_run_by_is_planned(helm_entrypoint: Entrypoint, tmp_path: Path) -> None:
    name = "together/llama-3.1-8b-instruct-turbo"
    named = f"simple_mcqa:model=meta/llama-3.1-8b-instruct-turbo,model_deployment={name}"
    (tmp_path / "mine.conf").write_text(f'entries: [{{description: "{named}", priority: 1}}]\n')
    deployments = []
    for variables in (
        {"MODELS_TO_RUN": name, "RUN_ENTRIES_CONF_PATH": str(tmp_path / "mine.conf")},
        {"MODELS_TO_RUN": "litellm/openai/gpt-4o-2024-11-20"},
    ):
        done = helm_entrypoint("plan", "--json", **variables)
        assert done.returncode == 0, done.stderr
        specs = json.loads(done.stdout)["run_specs"]
        deployments.append({spec["run_spec"]["adapter_spec"]["model_deployment"] for spec in specs})
    assert deployments == [{name}, {"litellm/openai/gpt-4o-2024-11-20"}]
