"""Programs that HELM starts for some runs: missing ones stop a suite before it pays, not after."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from helm_repro.inside.checks import prerequisites
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.settings import read_settings
from helm_repro.inside.plan.caveats import concerns


def missing(board, data: Path, requires: list[str], **spec: object):
    leaderboard = {**board.leaderboard, "requires": {"image2latex": requires}}
    board = dataclasses.replace(board, leaderboard=leaderboard)
    variables = {"DATA_DIR": str(data), "MODELS_TO_RUN": "simple/model1"}
    planned = {"name": "a", "entry": "image2latex:subset=x", "run_spec": {"metric_specs": []}, "unavailable": None}
    return list(prerequisites.missing(read_settings(variables, board), {"run_specs": [{**planned, **spec}]}))


def test_a_missing_program_is_named(board, tmp_path):
    ((where, message, code),) = missing(board, tmp_path, ["sh", "no-such-tex", "lilypond-2.24.3/bin/lilypond"])
    assert (where, code) == ("runs of image2latex", ExitCode.CONFIGURATION)
    assert message.startswith("no-such-tex, lilypond-2.24.3/bin/lilypond not found; HELM would ask for all answers")


def test_paths_are_those_below_helms_working_directory(board, tmp_path):
    program = tmp_path / "lilypond-2.24.3/bin/lilypond"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    assert missing(board, tmp_path, ["lilypond-2.24.3/bin/lilypond"]) == []


def test_files_of_helms_package(board, tmp_path, monkeypatch):
    assert missing(board, tmp_path, ["helm/Gemfile.default"])
    (tmp_path / "helm").mkdir()
    (tmp_path / "helm/Gemfile.default").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert missing(board, tmp_path, ["helm/Gemfile.default"]) == []


@pytest.mark.parametrize("spec", [{"entry": "image2musicsheet:difficulty=easy"}, {"unavailable": "gone"}])
def test_runs_that_need_it_not_are_not_stopped(board, tmp_path, spec):
    assert missing(board, tmp_path, ["no-such-tex"], **spec) == []


def test_image2struct_states_a_requirement_for_everything_that_it_compiles(catalogue):
    board = catalogue.leaderboards["image2struct"]
    functions = {entry.description.partition(":")[0] for entry in catalogue.entries(board)}
    assert set(board.requires) == functions


def test_web_pages_that_no_released_helm_can_serve_are_left_out_of_image2struct(catalogue):
    board = catalogue.leaderboards["image2struct"]
    (pages,) = (caveat.model_dump(mode="json") for caveat in board.caveats if caveat.skip)
    concerned = [entry.description for entry in catalogue.entries(board) if concerns(pages, entry.description)]
    assert len(concerned) == 10
    assert all(description.startswith("image2webpage:") for description in concerned)
