"""Every leaderboard plans as HELM does: the counts are known, and each run spec is HELM's own, field by field."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.plan_counts import COUNTS, ON_PURPOSE
from tests.traps.conftest import MODEL

pytestmark = pytest.mark.helm


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
