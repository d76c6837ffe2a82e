"""The catalogue is valid, proves its digests, and says clearly when it is not."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import yaml
from pyhocon import ConfigFactory

from helm_repro.catalogue import load_catalogue
from helm_repro.catalogue.render import conf_text, entries_sha256, write_board
from helm_repro.errors import ConfigurationError
from helm_repro.inside.plan.conf import read_entries
from tests.conftest import ROOT

BOARDS = sorted(load_catalogue(ROOT).leaderboards)


@pytest.mark.parametrize("identifier", BOARDS)
def test_entries_have_the_stated_digest(catalogue, identifier):
    board = catalogue.leaderboards[identifier]
    assert entries_sha256(catalogue.entries(board)) == board.entries_sha256


@pytest.mark.parametrize("identifier", ["smoke", "mmlu"])
def test_the_rendered_conf_reads_back_as_the_same_entries(catalogue, identifier):
    entries = catalogue.entries(catalogue.leaderboards[identifier])
    parsed = ConfigFactory.parse_string(conf_text(entries))["entries"]
    assert [(e["description"], e.get("priority", None), e.get("groups", None)) for e in parsed] == [
        (e.description, e.priority, None if e.groups is None else list(e.groups)) for e in entries
    ]


@pytest.mark.parametrize("identifier", BOARDS)
def test_a_rendered_conf_is_read_without_helms_parser(catalogue, identifier, tmp_path):
    entries = catalogue.entries(catalogue.leaderboards[identifier])
    conf = tmp_path / "run_entries.conf"
    conf.write_text(conf_text(entries), encoding="utf-8")
    # HELM cannot be imported here, so whatever is read was read as JSON.
    assert entries_sha256(read_entries(conf)) == entries_sha256(entries)


def test_mmlu_has_57_entries(catalogue):
    assert len(catalogue.entries(catalogue.leaderboards["mmlu"])) == 57


def test_our_own_schema_has_the_stated_digest(catalogue):
    smoke = catalogue.leaderboards["smoke"]
    schema = catalogue.folder(smoke) / smoke.schema_
    assert hashlib.sha256(schema.read_bytes()).hexdigest() == smoke.schema_sha256


def test_boards_are_rendered_the_same_every_time(catalogue, tmp_path):
    smoke = catalogue.leaderboards["smoke"]
    one, two = (write_board(catalogue, smoke, tmp_path / name) for name in ("one", "two"))
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}
    assert json.loads((one / "board.json").read_text())["leaderboard"]["schema"] == "schema_smoke.yaml"


@pytest.fixture
def copy(tmp_path):
    for folder in ("leaderboards/smoke", "images"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def change(copy, **fields):
    path = copy / "leaderboards/smoke/leaderboard.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **fields}))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("priority", 7, "priority: 7: Input should be less than or equal to 5"),
        ("status", "fine", "status: 'fine': Input should be 'supported'"),
        ("entries_sha256", "12", "entries_sha256: '12'"),
        ("colour", "red", "colour: 'red': Extra inputs are not permitted"),
        ("environment", "helm-9", "environment: 'helm-9' is not a folder of images/, allowed: helm-0.5.15, "),
        ("id", "smok", "id: 'smok' must be the folder's name, 'smoke'"),
    ],
)
def test_a_mistake_names_file_field_value_and_what_is_allowed(copy, field, value, says):
    change(copy, **{field: value})
    with pytest.raises(ConfigurationError) as caught:
        load_catalogue(copy)
    assert says in str(caught.value)
    assert "leaderboards/smoke/leaderboard.yaml" in str(caught.value)


def test_entries_that_differ_from_their_digest_are_not_rendered(copy):
    path = copy / "leaderboards/smoke/entries.yaml"
    path.write_text(path.read_text().replace("pairs: [2, 3, 4]", "pairs: [2, 3]"))
    catalogue = load_catalogue(copy)
    with pytest.raises(ConfigurationError, match="entries_sha256"):
        write_board(catalogue, catalogue.leaderboards["smoke"], copy / "board")
