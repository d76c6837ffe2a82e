"""What is still to do of a submitted suite, and what is handed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helm_repro.engines.clusters import unfinished_shards
from helm_repro.engines.paths import with_absolute_paths
from helm_repro.engines.submission import Submission


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    made = Submission("smoke", "slurm", "mine", 2, {"MODELS_TO_RUN": "a/b, c/d"}, (), tmp_path)
    made.suite_path.mkdir(parents=True)
    return made


def receipt(submission: Submission, index: int, models: list[str], exit_code: int = 0) -> None:
    path = submission.suite_path / f"receipt.shard-{index}-of-2.json"
    record = {"schema_version": 1, "exit_code": exit_code, "models": models, "runs": []}
    path.write_text(json.dumps(record))


def test_shards_are_finished_that_ended_well_with_these_models(submission: Submission) -> None:
    assert unfinished_shards(submission) == [0, 1]
    receipt(submission, 0, ["c/d", "a/b"])
    receipt(submission, 1, ["a/b", "c/d"], exit_code=3)
    assert unfinished_shards(submission) == [1]


def test_receipts_of_other_models_do_not_count(submission: Submission) -> None:
    for index in (0, 1):
        receipt(submission, index, ["a/b"])
    assert unfinished_shards(submission) == [0, 1]


def test_an_empty_path_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.conf").touch()
    given = {"SCHEMA_PATH": "", "RUN_ENTRIES_CONF_PATH": "my.conf"}
    assert with_absolute_paths(given) == {"SCHEMA_PATH": "", "RUN_ENTRIES_CONF_PATH": str(tmp_path / "my.conf")}
