"""Before any request: the plan and the instances that we would send, against those published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helm_repro.results.layout import open_results
from helm_repro.results.recipe_check import check_recipes, dry_runs, planned_runs
from helm_repro.results.store import FolderStore
from tests.conftest import Entrypoint
from tests.results.made_with_helm import LIMIT, RELEASE
from tests.results.mutate import edit
from tests.support.helm_config import write_model

pytestmark = pytest.mark.helm


@pytest.fixture
def variables(made: Path, tmp_path: Path) -> dict[str, str]:
    # No one listens there: a single request would fail the run.
    write_model(tmp_path / "data" / "prod_env", "http://127.0.0.1:9/v1", name="sim/strong")
    return {
        "RUN_ENTRIES_CONF_PATH": str(made / "entries.conf"),
        "MAX_EVAL_INSTANCES": str(LIMIT),
        "MODELS_TO_RUN": "sim/strong",
    }


def test_plan_and_dry_run_agree_with_the_release(
    helm_entrypoint: Entrypoint, variables: dict[str, str], published: Path, runs: Path, tmp_path: Path
) -> None:
    release = open_results(FolderStore(published), RELEASE)
    plan = helm_entrypoint("plan", "--json", **variables)
    assert plan.returncode == 0, plan.stderr[-2000:]
    checks = check_recipes(planned_runs(json.loads(plan.stdout)), release)
    assert [check.label for check in checks] == ["same recipe"] * 3

    dry = helm_entrypoint("dry-run", **variables)
    assert dry.returncode == 0, dry.stderr[-2000:]
    data = tmp_path / "data"
    assert not list((data / "benchmark_output" / "runs").glob("*/*/run_spec.json")), "the real place stays clean"
    planned = dry_runs(data / "dry_run" / "benchmark_output", "my-suite")
    assert len(planned) == 3
    assert {check.label for check in check_recipes(planned, release)} == {"same recipe and instances"}

    def other(instances: list[dict[str, Any]]) -> None:
        instances[0]["input"]["text"] = "Is 8 even or odd?"

    edit(runs / "simple_mcqa:model=sim_strong" / "instances.json", other)
    changed = {check.run: check.label for check in check_recipes(planned, release)}
    assert changed["simple_mcqa:model=sim_strong"] == "not comparable: data changed"
