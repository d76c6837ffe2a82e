"""Nothing a user can set, get or type is undocumented."""

from __future__ import annotations

from helm_repro.cli.main import VERBS
from helm_repro.docs import FILES, regenerate
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.variables import VARIABLES
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
ALL = README + "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))


def test_generated_parts_are_current(catalogue):
    for name in FILES:
        text = (ROOT / name).read_text()
        assert regenerate(text, catalogue, ROOT / name) == text, f"run `helm-repro docs` to renew {name}"


def test_every_variable_is_in_the_readme():
    assert [v.name for v in VARIABLES if f"| `{v.name}` |" not in README] == []


def test_every_exit_code_is_in_the_readme():
    assert [code for code in ExitCode if f"| {int(code)} | {code.description} |" not in README] == []


def test_every_verb_is_documented():
    assert [verb for verb in VERBS if f"helm-repro {verb}" not in ALL] == []
