"""``helm-repro show``: what the catalogue knows of a leaderboard, its pin and its limits among it."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from helm_repro.catalogue import Catalogue
from helm_repro.cli.main import verbs
from helm_repro.errors import ConfigurationError
from tests.conftest import ROOT

PIN = ("helm_version", "helm_commit", "helm_release_date", "python")


def show(*arguments: str) -> str:
    done = CliRunner().invoke(verbs, ["show", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("identifier", ["capabilities", "heim"])
def test_the_text_holds_the_pin_and_the_parameters(catalogue: Catalogue, identifier: str) -> None:
    board = catalogue.leaderboards[identifier]
    environment = catalogue.environment_of(board)
    shown = yaml.safe_load(show(identifier))
    assert {name: shown[name] for name in PIN} == {name: str(getattr(environment, name)) for name in PIN}
    assert list(shown)[list(shown).index("environment") + 1] == "helm_version"
    assert (shown["conf"], shown["schema"], shown["priority"]) == (board.conf, board.schema_, board.priority)
    assert shown["entries"].startswith(f"{len(catalogue.entries(board))}, of which ")
    assert "flavour" not in shown


def test_the_json_holds_every_entry_and_the_environment(catalogue: Catalogue) -> None:
    record = json.loads(show("lite", "--json"))
    board = catalogue.leaderboards["lite"]
    assert [entry["description"] for entry in record["entries"]] == [e.description for e in catalogue.entries(board)]
    assert record["environment_record"] == catalogue.environment_of(board).model_dump(mode="json")
    assert record["helm_commit"] == record["environment_record"]["helm_commit"]
    assert record["caveats"][0]["since"] == "2025-01-02"


def test_an_unknown_leaderboard_is_named_with_what_is_allowed() -> None:
    with pytest.raises(ConfigurationError, match="LEADERBOARD=light: unknown leaderboard, allowed: smoke, "):
        CliRunner().invoke(verbs, ["show", "light"], catch_exceptions=False)


def test_heim_is_said_to_be_reproducible_in_part_only() -> None:
    shown = yaml.safe_load(show("heim"))
    caveats = {caveat["what"]: caveat for caveat in shown["caveats"]}
    assert "cannot be reproduced completely at present" in caveats["The full leaderboard"]["reason"]
    assert not caveats["The full leaderboard"].get("entries"), "it is about all of them"
    assert {"Ratings by people", "NSFW detector", "Perspective API"} <= set(caveats)
    page = (ROOT / "docs/leaderboards/heim.md").read_text()
    for what in ("The full leaderboard", "Ratings by people", "NSFW detector", "Perspective API"):
        assert f"**{what}**" in page
    assert "(2026-12-31)" in page
    assert '"not currently reproducible"' in (ROOT / "docs/traps.md").read_text()
