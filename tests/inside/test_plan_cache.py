"""A plan is kept with its suite, used again only if nothing it depends on has changed, and spares HELM's start."""

from __future__ import annotations

import json

import pytest

from helm_repro.inside.inputs.settings import Settings, read_settings
from helm_repro.inside.pipeline import plan_arguments
from helm_repro.inside.plan import plan_cache
from tests.conftest import Entrypoint

PLAN = {"run_specs": [{"name": "a"}], "failed": [], "left_out": [], "entries": []}


@pytest.fixture
def settings(board, tmp_path) -> Settings:
    conf = tmp_path / "run_entries.conf"
    conf.write_text("entries: []")
    variables = {"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": "simple/model1", "RUN_ENTRIES_CONF_PATH": str(conf)}
    found = read_settings(variables, board, ["run"])
    found.suite_path.mkdir(parents=True)
    return found


def key(settings: Settings, **changed: object) -> str:
    return plan_cache.digest(settings, {**plan_arguments(settings), **changed})


def test_a_kept_plan_is_found_under_its_digest_only(settings):
    plan_cache.keep(settings.suite_path, key(settings), PLAN)
    assert plan_cache.read(settings.suite_path, key(settings)) == PLAN
    assert plan_cache.read(settings.suite_path, key(settings, priority=4)) is None


def test_a_plan_with_an_entry_that_failed_is_not_kept(settings):
    plan_cache.keep(settings.suite_path, key(settings), {**PLAN, "failed": [{"entry": "raft", "reason": "no network"}]})
    assert plan_cache.read(settings.suite_path, key(settings)) is None


def test_a_plan_cut_short_is_not_used(settings):
    plan_cache.keep(settings.suite_path, key(settings), PLAN)
    path = settings.suite_path / plan_cache.FILE_NAME
    path.write_bytes(path.read_bytes()[:-5])
    assert plan_cache.read(settings.suite_path, key(settings)) is None


def test_the_digest_covers_the_conf_and_registered_models(settings):
    digests = {key(settings)}
    settings.conf_path.write_text('entries: [{description: "dyck_language:num_parenthesis_pairs=2", priority: 1}]')
    digests.add(key(settings))
    settings.local_path.mkdir(parents=True, exist_ok=True)
    (settings.local_path / "model_deployments.yaml").write_text("model_deployments: []")
    digests.add(key(settings))
    assert len(digests) == 3


@pytest.mark.helm
def test_a_complete_suite_is_resumed_without_helm(helm_entrypoint: Entrypoint, tmp_path):
    variables = {"MODELS_TO_RUN": "simple/model1", "MAX_EVAL_INSTANCES": "2", "STAGES": "run"}
    assert helm_entrypoint(**variables).returncode == 0
    (suite,) = (tmp_path / "data" / "benchmark_output" / "runs").iterdir()
    planned = json.loads((suite / plan_cache.FILE_NAME).read_text())["plan"]["run_specs"]

    broken = tmp_path / "broken" / "helm"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise SystemExit('HELM was imported')")
    again = helm_entrypoint(**variables, PYTHONPATH=str(broken.parent))
    assert again.returncode == 0, again.stderr
    assert f"all {len(planned)} runs are complete already" in again.stderr

    # With one run missing HELM is needed, so the broken one shows.
    next(suite.glob("*/stats.json")).unlink()
    assert helm_entrypoint(**variables, PYTHONPATH=str(broken.parent)).returncode != 0
