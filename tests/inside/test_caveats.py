"""Caveats with a day: a warning before it, in force from it on."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.inside.inputs.board import Board
from helm_repro.inside.inputs.settings import read_settings
from helm_repro.inside.plan import caveats, plan_cache
from helm_repro.inside.plan.make import _unavailable

BEFORE, ON = datetime.date(2026, 12, 30), datetime.date(2026, 12, 31)
ENTRY = "mscoco:model=text_to_image"


@pytest.fixture
def heim(catalogue: Catalogue) -> dict[str, Any]:
    return catalogue.leaderboards["heim"].model_dump(mode="json", by_alias=True)


def plan_of(entry: str, unavailable: str | None = None) -> dict[str, Any]:
    return {"run_specs": [{"name": entry, "entry": entry, "run_spec": {}, "unavailable": unavailable}]}


def unavailable(board: dict[str, Any], path: Path) -> str | None:
    return _unavailable(ENTRY, board["caveats"], path)


def test_heim_runs_until_the_perspective_api_ends(
    heim: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caveats, "today", lambda: BEFORE)
    assert unavailable(heim, tmp_path) is None
    (warning,) = caveats.warnings(heim, plan_of(ENTRY))
    assert warning.startswith("from 2026-12-31 on: Perspective API: Google ends the service on that day")
    monkeypatch.setattr(caveats, "today", lambda: ON)
    reason = unavailable(heim, tmp_path)
    assert reason is not None
    assert reason.startswith("Perspective API: Google ends the service on that day")
    assert list(caveats.warnings(heim, plan_of(ENTRY, reason))) == [], "an unavailable run says so itself"


def test_runs_that_can_do_without_a_service_are_warned_of_its_end(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = catalogue.leaderboards["classic-legacy"].model_dump(mode="json", by_alias=True)
    entry = "real_toxicity_prompts:model=text"
    monkeypatch.setattr(caveats, "today", lambda: ON)
    assert _unavailable(entry, board["caveats"], tmp_path) is None
    (warning,) = caveats.warnings(board, plan_of(entry))
    assert warning.startswith("since 2026-12-31: Perspective API: ")
    assert list(caveats.warnings(board, plan_of("boolq:model=text"))) == []


def test_a_caveat_without_a_day_or_with_one_that_is_past_holds() -> None:
    assert caveats.in_force({})
    assert caveats.in_force({"since": "2023-12-06"})


def test_a_kept_plan_is_made_anew_once_a_caveat_comes_into_force(
    heim: dict[str, Any], board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dated = dataclasses.replace(board, leaderboard={**board.leaderboard, "caveats": heim["caveats"]})
    settings = read_settings({"MODELS_TO_RUN": "simple/model1", "DATA_DIR": str(tmp_path)}, dated)
    digests = []
    for day in (BEFORE - datetime.timedelta(days=1), BEFORE, ON):
        monkeypatch.setattr(caveats, "today", lambda day=day: day)
        digests.append(plan_cache.digest(settings, {}))
    assert digests[0] == digests[1] != digests[2]
