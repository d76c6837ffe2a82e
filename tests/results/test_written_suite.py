"""Which suite an invocation writes, found from outside while others write theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helm_repro.inside.suite import invocation
from helm_repro.inside.suite.journal import Journal
from helm_repro.results.written_suite import WrittenSuite

RUN = ("run", "summarize")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two suites with the traces of earlier invocations."""
    for name in ("mine", "mine-2"):
        path = tmp_path / "benchmark_output" / "runs" / name
        path.mkdir(parents=True)
        Journal(path).write("start", run="earlier")
    return path.parent


def test_a_named_suite_shows_only_what_is_new(tmp_path: Path, runs: Path) -> None:
    suite = WrittenSuite(tmp_path, {"SUITE_NAME": "mine"}, RUN)
    assert (suite.path, suite.variables, suite.events()) == (runs / "mine", {}, [])
    Journal(runs / "mine").write("start", run="now")
    assert [event["run"] for event in suite.events()] == ["now"]


def test_a_suite_chosen_inside_is_found_by_its_mark(tmp_path: Path, runs: Path) -> None:
    variables = {"SUITE_NAME": "mine", "RESUME": "new-suite"}
    suite, other = WrittenSuite(tmp_path, variables, RUN), WrittenSuite(tmp_path, variables, RUN)
    assert (suite.path, suite.events()) == (None, [])
    (runs / "mine-3").mkdir()
    for name, writer in (("mine-3", suite), ("mine-2", other)):
        invocation.mark(runs / name, writer.variables)
        Journal(runs / name).write("start", run=name)
    for name, writer in (("mine-3", suite), ("mine-2", other)):
        assert writer.path == runs / name
        assert [event["run"] for event in writer.events()] == [name]


def test_looking_for_the_mark_parses_no_other_suite(
    tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = WrittenSuite(tmp_path, {"SUITE_NAME": "mine", "RESUME": "new-suite"}, RUN)
    parsed: list[str] = []
    events_since = invocation.events_since

    def parse(path: Path, mark: str) -> list[dict[str, Any]] | None:
        parsed.append(path.name)
        return events_since(path, mark)

    monkeypatch.setattr(invocation, "events_since", parse)
    assert (suite.path, parsed) == (None, [])
    invocation.mark(runs / "mine-2", suite.variables)
    assert (suite.path, parsed) == (runs / "mine-2", ["mine-2"])


def test_only_the_run_stage_chooses_another_suite(tmp_path: Path, runs: Path) -> None:
    suite = WrittenSuite(tmp_path, {"SUITE_NAME": "mine", "RESUME": "new-suite"}, ("summarize",))
    assert (suite.path, suite.variables) == (runs / "mine", {})


def test_an_invocation_that_nobody_looks_for_leaves_no_mark(runs: Path) -> None:
    before = (runs / "mine" / "journal.jsonl").read_text()
    invocation.mark(runs / "mine", {})
    assert (runs / "mine" / "journal.jsonl").read_text() == before


@pytest.mark.parametrize("given", [{}, {"SUITE_NAME": " "}])
def test_a_suite_without_a_name_has_the_default_one(tmp_path: Path, given: dict[str, str]) -> None:
    assert WrittenSuite(tmp_path, given, RUN).named.name == "my-suite"
