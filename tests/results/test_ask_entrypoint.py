"""The plan is found in an engine's output, which mixes it with the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.cli import ask_entrypoint
from helm_repro.cli.ask_entrypoint import ask_plan
from helm_repro.engines.request import RunRequest
from helm_repro.errors import EngineError

PLAN = {"run_specs": [{"name": "a", "entry": "a", "run_spec": {"x": {}}, "unavailable": None}], "failed": []}


class FakeEngine:
    name = "fake"

    def __init__(self, output: str, code: int):
        self.output, self.code = output, code
        self.requests: list[RunRequest] = []

    def run(self, request: RunRequest, write: Callable[[bytes], None]) -> int:
        self.requests.append(request)
        for start in range(0, len(self.output), 7):
            write(self.output[start : start + 7].encode())
        return self.code


def ask(engine: FakeEngine, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setattr(ask_entrypoint.choose, "prepared_engine", lambda *_: engine)
    return ask_plan(catalogue, catalogue.leaderboards["smoke"], "auto", ("simple/model1",), (), Path("output"))


def test_plan_between_log_lines(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine("INFO main {\n{\nhelm\n" + json.dumps(PLAN, indent=1) + "\nINFO } [0.1s]\n", 0)
    assert ask(engine, catalogue, monkeypatch) == PLAN
    assert engine.requests[0].words == ("plan", "--json")
    assert engine.requests[0].variables["MODELS_TO_RUN"] == "simple/model1"


def test_refusal_is_the_error(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine("INFO x\nhelm-repro: error MODELS_TO_RUN=x: no such model\n", 2)
    with pytest.raises(EngineError, match="plan: ended with 2: error MODELS_TO_RUN=x"):
        ask(engine, catalogue, monkeypatch)


def test_a_plan_of_nothing_is_an_error_with_its_reason(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = json.dumps({"run_specs": [], "failed": []}, indent=1)
    engine = FakeEngine(f"{plan}\nhelm-repro: error smoke: no run spec for MODELS_TO_RUN=x/y\n", 6)
    with pytest.raises(EngineError, match="plan: ended with 6: error smoke: no run spec"):
        ask(engine, catalogue, monkeypatch)
