"""What preflight asks for: of the runs that will really run, where they will run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helm_repro.inside import failures
from helm_repro.inside.checks.preflight import Problem, preflight
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.board import load_board
from helm_repro.inside.inputs.credentials import Credentials
from helm_repro.inside.inputs.settings import Settings, read_settings
from helm_repro.inside.models.juries import active_judges

MODEL = "openai/gpt-4o-2024-11-20"
SettingsOf = Callable[..., Settings]


class _Helm:
    """In place of the process that holds HELM: every model answers, or errs, and none but ``reachable`` is near."""

    def __init__(self, reachable: tuple[str, ...] = (), error: str | None = None):
        self.probed: list[str] = []
        self._error = error
        self._reachable = reachable

    def call(self, function: str, deployments: list[str], **_: object) -> list[dict[str, Any]]:
        if function.endswith(":unreachable"):
            return [{"deployment": name, "where": "far"} for name in deployments if name not in self._reachable]
        self.probed += deployments
        return [
            {"model": name, "deployment": name, "text": "ok", "error": self._error, "skipped": None}
            for name in deployments
        ]


@pytest.fixture
def settings_of(catalogue, smoke_board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SettingsOf:
    """Settings of any board; only its record matters here."""
    for name in ("HF_TOKEN", "EHRSHOT_PATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "benchmark_output").mkdir()

    def read(board_id: str, **variables: str) -> Settings:
        record = catalogue.leaderboards[board_id].model_dump(mode="json", by_alias=True)
        smoke = load_board({"HELM_REPRO_BOARD": str(smoke_board)})
        files = {"conf": "run_entries_smoke.conf", "schema": "schema_smoke.yaml"}
        board = dataclasses.replace(smoke, leaderboard={**record, **files})
        given = {"MODELS_TO_RUN": MODEL, "DATA_DIR": str(tmp_path), "STAGES": "run", **variables}
        return read_settings(given, board)

    return read


def plan_of(*functions: str, unavailable: str | None = None, deployment: str = MODEL) -> dict[str, Any]:
    adapter = {"model": MODEL, "model_deployment": deployment}
    return {
        "run_specs": [
            {
                "name": name,
                "entry": f"{name}:model=text",
                "run_spec": {"adapter_spec": adapter, "metric_specs": []},
                "unavailable": unavailable,
            }
            for name in functions
        ]
    }


def problems(settings: Settings, plan: dict[str, Any], helm: _Helm | None = None, **keys: str) -> list[Problem]:
    helm = helm or _Helm((MODEL,))
    found = preflight(helm, settings, plan, Credentials(keys))  # type: ignore[arg-type]
    return [problem for problem in found if not problem.where.startswith(("DATA_DIR", "judge"))]


@pytest.mark.parametrize(
    ("board", "function", "warning"),
    [
        ("safety", "xstest", True),
        ("melt", "melt_math", True),
        ("slphelm", "ultra_suite_classification", True),
        ("capabilities", "gpqa", False),
        ("ewok", "ewok", False),
        ("heim", "winoground", False),
    ],
)
def test_a_token_blocks_only_where_data_is_known_to_be_gated(settings_of, board, function, warning) -> None:
    def of_token(**variables: str) -> list[Problem]:
        keys = {"HF_TOKEN": variables.pop("HF_TOKEN")} if "HF_TOKEN" in variables else {}
        found = problems(settings_of(board, **variables), plan_of(function), **keys)
        return [problem for problem in found if "HF_TOKEN" in problem.where + problem.message]

    (found,) = of_token()
    assert found.where.startswith("dataset ")
    assert (found.warning, found.exit_code) == (warning, ExitCode.CREDENTIALS)
    assert of_token(HF_TOKEN="planted") == []
    assert of_token(OFFLINE="1") == [], "no hub is asked there"


def test_a_token_is_not_asked_for_by_runs_that_do_not_need_it(settings_of) -> None:
    found = problems(settings_of("capabilities"), plan_of("mmlu_pro"))
    assert not [problem for problem in found if "HF_TOKEN" in problem.where + problem.message]


@pytest.mark.parametrize("variables", [{}, {"OFFLINE": "1"}])
def test_a_copy_of_ones_own_is_asked_for_everywhere(settings_of, variables) -> None:
    found = problems(settings_of("medhelm-gated", **variables), plan_of("ehrshot"))
    assert ("dataset EHRSHOT", False) in [(problem.where, problem.warning) for problem in found]


def test_runs_whose_data_is_gone_count_only_if_they_are_run(settings_of) -> None:
    gone = plan_of("gpqa", "wildbench", unavailable="withdrawn")
    assert active_judges(settings_of("capabilities"), gone) == []
    assert problems(settings_of("capabilities"), gone) == []
    included = settings_of("capabilities", INCLUDE_UNAVAILABLE="1")
    assert active_judges(included, gone)
    assert "dataset Idavidrein/gpqa" in [problem.where for problem in problems(included, gone)]


def test_models_of_such_runs_are_asked_if_they_are_run(settings_of) -> None:
    for variables, asked in (({}, []), ({"INCLUDE_UNAVAILABLE": "1"}, [MODEL])):
        helm = _Helm()
        assert problems(settings_of("mmlu", **variables), plan_of("mmlu", unavailable="withdrawn"), helm) == []
        assert helm.probed == asked


def test_offline_refuses_what_is_elsewhere_before_it_asks(settings_of) -> None:
    helm = _Helm()
    (found,) = problems(settings_of("mmlu", OFFLINE="1"), plan_of("mmlu"), helm)
    assert (found.where, found.exit_code, found.warning) == (f"model {MODEL}", ExitCode.CONFIGURATION, False)
    assert found.message.startswith("asks far, and OFFLINE=1 lets HELM reach nothing but this machine")
    assert helm.probed == []
    assert problems(settings_of("mmlu", OFFLINE="1"), plan_of("mmlu"), _Helm((MODEL,))) == []


def test_offline_names_the_variable_that_replaces_a_judge(settings_of) -> None:
    settings = settings_of("air-bench", OFFLINE="1")
    found = preflight(_Helm((MODEL,)), settings, plan_of("air_bench_2024"), Credentials({}))  # type: ignore[arg-type]
    (refused,) = (problem for problem in found if "OFFLINE=1" in problem.message)
    assert refused.where == "judge openai/gpt-4o-2024-05-13"
    assert "JUDGE_OVERRIDES=openai/gpt-4o-2024-05-13=<model>" in refused.message
    assert refused.exit_code == ExitCode.CONFIGURATION


def test_what_the_guard_refuses_is_not_tried_again() -> None:
    failure = failures.classify("URLError: <urlopen error OFFLINE=1 forbids reaching host; run `warm` …>")
    assert (failure.exit_code, failure.transient) == (ExitCode.UPSTREAM_DATA, False)


def test_a_key_is_redacted_before_an_error_is_cut(settings_of: SettingsOf) -> None:
    key = "planted-9f8e7d6c5b4a"
    helm = _Helm((MODEL,), error="x" * 290 + key)
    (found,) = problems(settings_of("smoke"), plan_of("simple_mcqa"), helm, OPENAI_API_KEY=key)
    assert key[:10] not in found.message


def test_an_entrys_own_jury_is_asked_in_place_of_the_catalogues(settings_of: SettingsOf) -> None:
    settings = settings_of("medhelm-public")
    plan = plan_of("medication_qa", "medi_qa")
    mine = {"model_name": "my/judge", "model_deployment": "mine/judge"}
    for spec in plan["run_specs"]:
        spec["run_spec"]["annotators"] = [{"class_name": "X", "args": {"annotator_models": {"mine": mine}}}]
    (judge,) = active_judges(settings, plan)
    assert (judge["model"], judge["deployment"], judge["used_by"]) == (
        "my/judge",
        "mine/judge",
        ["medication_qa", "medi_qa"],
    )
    helm = _Helm()
    assert problems(settings, plan, helm) == []
    assert helm.probed == [MODEL, "mine/judge"]
    # One of two entries keeps the catalogue's jury.
    theirs = {"model_name": "openai/gpt-4o-2024-05-13", "model_deployment": "stanfordhealthcare/gpt-4o-2024-05-13"}
    plan["run_specs"][0]["run_spec"]["annotators"][0]["args"]["annotator_models"] = {"gpt": theirs}
    assert {judge["deployment"] for judge in active_judges(settings, plan)} == {
        theirs["model_deployment"],
        "mine/judge",
    }
