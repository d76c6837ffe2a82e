"""Nothing a user can set, get or type is undocumented."""

from __future__ import annotations

import re

import pytest

from helm_repro.catalogue import load_catalogue
from helm_repro.cli.main import VERBS
from helm_repro.docs import generated, leftovers
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.variables import VARIABLES
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
ALL = README + "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("name", generated(load_catalogue(ROOT)))
def test_generated_files_are_current(catalogue, name):
    assert (ROOT / name).read_text() == generated(catalogue)[name], f"run `helm-repro docs` to renew {name}"


def test_there_are_no_pages_of_former_leaderboards(catalogue):
    assert leftovers(catalogue) == []


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=str)
def test_links_within_the_documentation_lead_somewhere(page):
    for target in re.findall(r"\]\((?![a-z]+://)([^)#]*)(#[^)]*)?\)", page.read_text()):
        path = (page.parent / target[0]).resolve() if target[0] else page
        assert path.exists(), f"{page}: {target[0]}"
        if target[1] and path.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert target[1][1:] in anchors, f"{page}: {''.join(target)}"


def test_every_variable_is_in_the_readme():
    assert [v.name for v in VARIABLES if f"| `{v.name}` |" not in README] == []


def test_every_exit_code_is_in_the_readme():
    assert [code for code in ExitCode if f"| {int(code)} | {code.description} |" not in README] == []


def test_every_verb_is_documented():
    assert [verb for verb in VERBS if f"helm-repro {verb}" not in ALL] == []
