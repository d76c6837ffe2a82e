"""Variables become settings or one clear line; never a traceback, never a silent default."""

from __future__ import annotations

import dataclasses
import string

import pytest
from hypothesis import given, strategies
from hypothesis import settings as hypothesis_settings

from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.settings import read_settings
from helm_repro.inside.variables import VARIABLES

MODEL = {"MODELS_TO_RUN": "simple/model1"}


def test_defaults_come_from_the_leaderboard(board):
    settings = read_settings(MODEL, board)
    assert settings.max_eval_instances == board.leaderboard["max_eval_instances"]
    assert settings.num_train_trials == board.leaderboard["num_train_trials"]
    assert settings.priority == board.leaderboard["priority"]
    assert settings.conf_path == board.conf_path
    assert settings.schema_path == board.schema_path
    assert settings.suite == "my-suite"
    assert settings.stages == ("run", "summarize", "server")


@pytest.mark.parametrize("name", ["MAX_EVAL_INSTANCES", "NUM_EVAL_INSTANCES"])
def test_either_name_of_the_limit_works(board, name):
    assert read_settings({**MODEL, name: "7"}, board).max_eval_instances == 7


@pytest.mark.parametrize("variables", [{"NUM_EVAL_INSTANCES": "0\n0"}, {"SHARD_INDEX": "0\n0", "SHARD_COUNT": "2"}])
def test_a_number_of_two_lines_is_refused_in_one(board, variables):
    with pytest.raises(VariableError, match=rf"^{next(iter(variables))}='0\\n0': must be a whole number from [01]"):
        read_settings({**MODEL, **variables}, board)


def test_both_names_may_agree(board):
    both = {**MODEL, "MAX_EVAL_INSTANCES": "7", "NUM_EVAL_INSTANCES": "7"}
    assert read_settings(both, board).max_eval_instances == 7


@pytest.mark.parametrize("text", ["a/b,c/d", "a/b c/d", " a/b ,\tc/d a/b"])
def test_models_are_separated_by_spaces_or_commas(board, text):
    assert read_settings({"MODELS_TO_RUN": text}, board).models == ("a/b", "c/d")


def test_stage_words_win_over_stages_and_keep_their_order(board):
    assert read_settings({**MODEL, "STAGES": "server"}, board, ["summarize", "run"]).stages == ("run", "summarize")


def test_summarizing_needs_no_model(board):
    assert read_settings({}, board, ["summarize"]).models == ()


def test_relative_paths_resolve_here_first_and_then_in_the_board(board, tmp_path):
    own = tmp_path / board.schema_path.name
    own.write_text("---")
    assert read_settings({**MODEL, "SCHEMA_PATH": own.name}, board, working_directory=tmp_path).schema_path == own
    own.unlink()
    settings = read_settings({**MODEL, "SCHEMA_PATH": own.name}, board, working_directory=tmp_path)
    assert settings.schema_path == board.schema_path


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "MODELS_TO_RUN"),
        ({"MODELS_TO_RUN": "gpt-4"}, "MODELS_TO_RUN=gpt-4"),
        ({**MODEL, "NUM_TRAIN_TRIALS": "abc"}, "NUM_TRAIN_TRIALS=abc"),
        ({**MODEL, "NUM_TRAIN_TRIALS": "0"}, "NUM_TRAIN_TRIALS=0"),
        ({**MODEL, "NUM_TRAIN_TRIALS": "१"}, "NUM_TRAIN_TRIALS=१"),
        ({**MODEL, "MAX_EVAL_INSTANCES": "1e3"}, "MAX_EVAL_INSTANCES=1e3"),
        ({**MODEL, "MAX_EVAL_INSTANCES": "5", "NUM_EVAL_INSTANCES": "6"}, "MAX_EVAL_INSTANCES=5"),
        ({**MODEL, "NUM_EVAL_INSTANCES": "x"}, "NUM_EVAL_INSTANCES=x"),
        ({**MODEL, "PRIORITY": "6"}, "PRIORITY=6"),
        ({**MODEL, "SUITE_NAME": "../x"}, "SUITE_NAME=../x"),
        ({**MODEL, "SUITE_NAME": "/etc"}, "SUITE_NAME=/etc"),
        ({**MODEL, "SUITE_NAME": ".hidden"}, "SUITE_NAME=.hidden"),
        ({**MODEL, "SCHEMA_PATH": "nothing.yaml"}, "SCHEMA_PATH=nothing.yaml"),
        ({**MODEL, "RUN_ENTRIES_CONF_PATH": "nothing.conf"}, "RUN_ENTRIES_CONF_PATH=nothing.conf"),
        ({**MODEL, "STAGES": "run,sumarize"}, "STAGES=sumarize"),
        ({**MODEL, "PORT": "70000"}, "PORT=70000"),
        ({**MODEL, "MODEL_GROUPS": "some"}, "MODEL_GROUPS=some"),
    ],
)
def test_wrong_input_names_variable_and_value(board, variables, named):
    with pytest.raises(VariableError) as caught:
        read_settings(variables, board)
    assert str(caught.value).startswith(named)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.CONFIGURATION


_TEXT = strategies.text(max_size=60).filter(lambda text: "\0" not in text)
_NASTY = strategies.one_of(
    _TEXT,
    strategies.text(alphabet=string.printable, max_size=40),
    strategies.integers().map(str),
    strategies.floats().map(str),
    strategies.sampled_from(
        ["../..", "~", "$(id)", "a;b", "a\nb", "-1", "0", "1_000", "٣", "NaN", "run,run", "/", "a/b/"]
    ),
)


@hypothesis_settings(max_examples=500, deadline=None)
@given(name=strategies.sampled_from([variable.name for variable in VARIABLES]), value=_NASTY)
def test_any_text_in_any_variable_gives_settings_or_one_line(board, name, value):
    try:
        settings = read_settings({**MODEL, name: value}, board)
    except InsideError as error:
        problem: str | None = str(error)
    else:
        problem = None
    if problem is not None:
        assert "\n" not in problem
        assert name in problem
    else:
        assert settings.suite_path.parent == settings.output_path / "runs"
        assert settings.max_eval_instances >= 1


@pytest.fixture
def private(board):
    """The board as one whose conf's name ends in an organization's."""
    return dataclasses.replace(board, leaderboard={**board.leaderboard, "organization": "smoke"})


def test_an_organizations_conf_is_looked_for_in_the_working_directory(private, tmp_path):
    own = tmp_path / "run_entries_acme.conf"
    own.touch()
    assert read_settings({**MODEL, "ORGANIZATION": "acme"}, private, working_directory=tmp_path).conf_path == own
    # The default one's is the leaderboard's; a conf that is named wins.
    assert read_settings({**MODEL, "ORGANIZATION": "smoke"}, private).conf_path == private.conf_path
    both = {**MODEL, "ORGANIZATION": "acme", "RUN_ENTRIES_CONF_PATH": private.conf_path.name}
    assert read_settings(both, private, working_directory=tmp_path).conf_path == private.conf_path


@pytest.mark.parametrize(
    ("organization", "says"),
    [
        ("none", r"^ORGANIZATION=run_entries_none\.conf: no such file \(looked in "),
        ("../x", r"^ORGANIZATION=\.\./x: must be one name, as in the file's name$"),
    ],
)
def test_an_organization_without_a_conf_is_refused(private, tmp_path, organization, says):
    with pytest.raises(VariableError, match=says):
        read_settings({**MODEL, "ORGANIZATION": organization}, private, working_directory=tmp_path)


def test_other_leaderboards_have_no_organizations(board):
    with pytest.raises(VariableError, match="ORGANIZATION=acme: smoke has the same entries everywhere"):
        read_settings({**MODEL, "ORGANIZATION": "acme"}, board)
