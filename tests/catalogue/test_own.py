"""``helm-repro new``: a conf and a schema of one's own become a leaderboard that plans and shows."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from helm_repro.catalogue import load_catalogue
from helm_repro.catalogue.notation import Entries, RunEntry
from helm_repro.catalogue.own import compact
from helm_repro.catalogue.render import write_board
from helm_repro.cli.main import verbs
from tests.conftest import ROOT, entrypoint_with

CONF = """entries: [
  {description: "simple_mcqa:model=text", priority: 1}
  {description: "dyck_language:model=text,num_parenthesis_pairs=2", priority: 1}
  {description: "dyck_language:model=text,num_parenthesis_pairs=3", priority: 1}
  {description: "dyck_language:model=text,num_parenthesis_pairs=4", priority: 2, groups: ["dyck_language"]}
]
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    for folder in ("leaderboards/smoke", "images"):
        shutil.copytree(ROOT / folder, tmp_path / "home" / folder)
    (tmp_path / "mine.conf").write_text(CONF)
    shutil.copy(ROOT / "leaderboards/smoke/schema_smoke.yaml", tmp_path / "schema_mine.yaml")
    monkeypatch.setenv("HELM_REPRO_HOME", str(tmp_path / "home"))
    load_catalogue.cache_clear()
    yield tmp_path
    load_catalogue.cache_clear()


def new(root, *arguments: str, identifier: str = "mine"):
    files = ["--conf", str(root / "mine.conf"), "--schema", str(root / "schema_mine.yaml")]
    return CliRunner().invoke(verbs, ["new", identifier, *files, *arguments])


def test_what_is_written_is_a_leaderboard_with_the_same_entries(root):
    done = new(root, "--instances", "5", "--title", "Mine")
    assert done.exit_code == 0, done.exception
    load_catalogue.cache_clear()
    catalogue = load_catalogue()
    board = catalogue.leaderboards["mine"]
    assert (board.title, board.max_eval_instances, board.conf) == ("Mine", 5, "mine.conf")
    assert len(catalogue.entries(board)) == 4
    assert (root / "home/leaderboards/mine/entries.yaml").read_text().count("run:") == 3
    directory = write_board(catalogue, board, root / "board")
    assert {path.name for path in directory.iterdir()} == {"board.json", "mine.conf", "schema_mine.yaml"}


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        ({}, {"identifier": "smoke"}, "ID=smoke: "),
        ({}, {"identifier": "Mine"}, "id: 'Mine': String should match"),
        ({"mine.conf": "entries: [{priority: 1}]"}, {}, "mine.conf: entry 1: description: must be"),
        ({"schema_mine.yaml": "a: ["}, {}, "schema_mine.yaml: not valid YAML"),
        ({"schema_mine.yaml": "metric_groups: [{name: a}]"}, {}, "schema_mine.yaml: run_groups: must be a list"),
        (
            {"schema_mine.yaml": "metric_groups: [{name: a}]\nrun_groups: [{name: b, metric_groups: [c]}]"},
            {},
            "schema_mine.yaml: run_groups: b: metric_groups: c: not in metric_groups",
        ),
        (
            {"schema_mine.yaml": "metric_groups: [{name: a}]\nrun_groups: [{name: b}]"},
            {},
            "schema_mine.yaml: run_groups: lacks dyck_language, which an entry names",
        ),
    ],
)
def test_a_mistake_names_file_and_field_and_leaves_nothing_behind(root, change, arguments, says):
    for name, text in change.items():
        (root / name).write_text(text)
    done = new(root, **arguments)
    assert says in str(done.exception)
    assert [path.name for path in (root / "home/leaderboards").iterdir()] == ["smoke"]


def test_an_unknown_environment_is_refused(root):
    assert "--environment helm-9: unknown, allowed: helm-0.5.15, " in str(
        new(root, "--environment", "helm-9").exception
    )


def test_braces_and_odd_arguments_survive_the_notation():
    entries = [RunEntry(description=text) for text in ("a:x={1}", "a:x={2}", "b", "c:X-y=1", "c:X-y=2", "d:k=1=2")]
    assert Entries.model_validate(compact(entries)).expand() == entries


@pytest.mark.helm
def test_a_mounted_conf_and_schema_run_by_the_documented_variables(helm_entrypoint, root, tmp_path):
    done = helm_entrypoint(
        *("run", "summarize"),
        MODELS_TO_RUN="simple/model1",
        RUN_ENTRIES_CONF_PATH=str(root / "mine.conf"),
        SCHEMA_PATH=str(root / "schema_mine.yaml"),
        MAX_EVAL_INSTANCES="2",
    )
    assert done.returncode == 0, done.stderr
    assert "4 of 4 runs complete" in done.stderr


@pytest.mark.helm
def test_a_leaderboard_of_ones_own_is_planned_by_helm(helm_python, root, tmp_path):
    assert new(root, "--instances", "5", "--priority", "1").exit_code == 0
    load_catalogue.cache_clear()
    catalogue = load_catalogue()
    directory = write_board(catalogue, catalogue.leaderboards["mine"], root / "board")
    done = entrypoint_with(helm_python, directory, tmp_path / "data")("plan", "--json", MODELS_TO_RUN="simple/model1")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    entries = ["simple_mcqa:model=text", *(f"dyck_language:model=text,num_parenthesis_pairs={n}" for n in (2, 3))]
    assert [spec["entry"] for spec in plan["run_specs"]] == entries, "the third pair has another priority"
    assert {spec["run_spec"]["adapter_spec"]["max_eval_instances"] for spec in plan["run_specs"]} == {5}
    assert plan["failed"] == plan["left_out"] == []
