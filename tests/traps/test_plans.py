"""Every leaderboard plans as HELM does: the counts are known, and each run spec is HELM's own, field by field."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.traps.conftest import MODEL

pytestmark = pytest.mark.helm

# Board -> run specs for MODEL without a network, entries that cannot be constructed so, variables.
COUNTS = {
    "lite": (23, 5, {}),
    "lite-instruct": (23, 5, {}),
    "classic": (63, 11, {"MODEL_GROUPS": "all"}),
    "classic-legacy": (108, 11, {"MODEL_GROUPS": "all"}),
    "mmlu": (57, 0, {}),
    "vhelm-v1": (32, 0, {}),
    "vhelm": (175, 0, {}),
    "air-bench": (1, 0, {}),
    "air-bench-reasoning": (1, 0, {}),
    "safety": (5, 0, {}),
    "torr": (350, 0, {}),
    "seahelm": (30, 0, {}),
    "slphelm": (5, 0, {}),
    "capabilities": (5, 0, {}),
    "arabic": (121, 0, {}),
    "arabic-enterprise": (6, 0, {}),
    "long-context": (5, 0, {}),
    "audio": (79, 0, {}),
    "finance": (2, 1, {}),
    "decodingtrust": (167, 0, {}),
    "ewok": (11, 0, {}),
    "mmlu-winogrande-afr": (44, 0, {}),
    "medhelm-public": (17, 0, {}),
    "medhelm-gated": (11, 0, {}),
    "medhelm-private": (26, 0, {}),
}
# Their plans are not what HELM alone would construct, on purpose: see the tests of those traps.
ON_PURPOSE = {"slphelm", "medhelm-public", "medhelm-gated", "medhelm-private"}


def helm_alone(python: Path, board, conf: Path, failed: list[str]) -> list[dict]:
    arguments = {
        "conf": str(conf),
        "models": [MODEL],
        "without": failed,
        "max_eval_instances": board.max_eval_instances,
        "num_train_trials": board.num_train_trials,
        "priority": board.priority,
    }
    command = [str(python), str(Path(__file__).with_name("helm_alone.py")), json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("board_id", COUNTS)
def test_a_plan_is_what_helm_alone_constructs(plan_board, catalogue, environment_of, boards, board_id):
    run_specs, failed, variables = COUNTS[board_id]
    plan = plan_board(board_id, **variables)
    assert set(plan) == {"run_specs", "failed", "left_out"}
    assert (len(plan["run_specs"]), len(plan["failed"])) == (run_specs, failed)
    if board_id in ON_PURPOSE:
        return

    board = catalogue.leaderboards[board_id]
    conf = boards(board_id) / board.conf
    alone = helm_alone(environment_of(board_id), board, conf, [item["entry"] for item in plan["failed"]])
    # Of runs with the same name the last one's files remain.
    assert {spec["name"]: spec["run_spec"] for spec in plan["run_specs"]} == {spec["name"]: spec for spec in alone}
