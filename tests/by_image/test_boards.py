"""Leaderboards' images: within their budget, planning, without a network, what HELM alone would construct there, and
with all that the planned runs import.

One board for each kind of environment is built always; all of them, which takes half an hour and
25 GB, with HELM_REPRO_TEST_ALL_ENVIRONMENTS=1.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helm_repro.images.bake import build
from helm_repro.inside.exit_codes import ExitCode
from tests.conftest import ROOT
from tests.support.plan_counts import COUNTS_IN_IMAGES, ON_PURPOSE
from tests.traps.conftest import ALL_ENVIRONMENTS, MODEL

# The last two add kilobytes to the one before.
ALWAYS = ("smoke", "lite", "safety", "medhelm-public", "medhelm-gated", "medhelm-private")
HELM_ALONE = Path(__file__).parents[1] / "traps" / "helm_alone.py"


@pytest.fixture(scope="module", params=COUNTS_IN_IMAGES if ALL_ENVIRONMENTS else ALWAYS)
def board(request, client, catalogue):
    build(catalogue, [request.param])
    yield catalogue.leaderboards[request.param]
    if ALL_ENVIRONMENTS and request.param not in ALWAYS:
        client.images.remove(f"helm-repro:{request.param}")


def output(containers, image: str, command: list[str], code: int = 0, **options: object) -> object:
    container = containers.start(image, *command, network_mode="none", **options)
    assert container.wait(timeout=600)["StatusCode"] == code, container.logs().decode()[-3000:]
    return json.loads(container.logs(stderr=False))


def test_an_image_plans_its_leaderboard_as_helm_alone_would(board, client, containers, catalogue):
    image = f"helm-repro:{board.id}"
    budget = catalogue.environment_of(board).size_budget_mb
    assert client.images.get(image).attrs["Size"] <= budget * 10**6

    run_specs, failed, variables = COUNTS_IN_IMAGES[board.id]
    variables = {"MODELS_TO_RUN": MODEL, **variables}
    # CLEVA downloads while it is constructed: its whole plan is what cannot be had without a network.
    code = 0 if run_specs else ExitCode.UPSTREAM_DATA
    plan = output(containers, image, ["plan", "--json"], code, environment=variables)
    assert (len(plan["run_specs"]), len(plan["failed"])) == (run_specs, failed)
    if board.id in ON_PURPOSE or not run_specs:
        return

    arguments = {
        "conf": f"/opt/helm-repro/board/{board.conf}",
        "models": [variables["MODELS_TO_RUN"]],
        "without": [item["entry"] for item in plan["failed"]],
        "max_eval_instances": board.max_eval_instances,
        "num_train_trials": board.num_train_trials,
        "priority": board.priority,
    }
    alone = output(
        containers,
        image,
        ["/helm_alone.py", json.dumps(arguments)],
        entrypoint="/opt/helm/bin/python",
        volumes={str(HELM_ALONE): {"bind": "/helm_alone.py", "mode": "ro"}},
    )
    assert {spec["name"]: spec["run_spec"] for spec in plan["run_specs"]} == {spec["name"]: spec for spec in alone}


def test_an_image_has_every_class_that_its_runs_name(board, containers):
    image, (run_specs, _, variables) = f"helm-repro:{board.id}", COUNTS_IN_IMAGES[board.id]
    code = ExitCode.OK if run_specs else ExitCode.UPSTREAM_DATA
    plan = output(containers, image, ["plan", "--json"], code, environment={"MODELS_TO_RUN": MODEL, **variables})
    specs = [spec["run_spec"] for spec in plan["run_specs"]]
    classes = {spec["scenario_spec"]["class_name"] for spec in specs}
    classes |= {annotator["class_name"] for spec in specs for annotator in spec.get("annotators") or ()}
    metrics = {json.dumps(metric, sort_keys=True): metric for spec in specs for metric in spec["metric_specs"]}
    unplanned = {item["entry"].partition(":")[0] for item in plan["failed"]}
    problems = output(
        containers,
        image,
        [
            "/repository/tests/by_image/import_classes.py",
            *map(json.dumps, map(list, (classes, metrics.values(), unplanned))),
        ],
        entrypoint="/opt/helm/bin/python",
        environment={"PYTHONPATH": "/repository"},
        volumes={str(ROOT / "tests"): {"bind": "/repository/tests", "mode": "ro"}},
    )
    assert problems == {}
