"""Retired judges: nothing starts with one; a substitute is asked instead, recorded and shown."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helm_repro.inside.deployments import registration
from helm_repro.inside.errors import VariableError
from helm_repro.inside.inputs.board import load_board
from helm_repro.inside.inputs.settings import read_settings
from helm_repro.inside.models import judges, own_models
from tests.conftest import ROOT, entrypoint_with
from tests.support.helm_config import write_model
from tests.support.openai_server import OpenAIServer

GPT = "openai/gpt-4o-2024-05-13"
LLAMA = "together/llama-3.1-405b-instruct-turbo"


@pytest.fixture
def settings_of(catalogue, smoke_board, tmp_path):
    """Settings of any board; only its record matters here."""

    def read(board_id: str, **variables: str):
        record = catalogue.leaderboards[board_id].model_dump(mode="json", by_alias=True)
        smoke = load_board({"HELM_REPRO_BOARD": str(smoke_board)})
        board = dataclasses.replace(smoke, leaderboard={**record, "conf": "run_entries_smoke.conf"})
        board = dataclasses.replace(board, leaderboard={**board.leaderboard, "schema": "schema_smoke.yaml"})
        given = {"MODELS_TO_RUN": "a/b", "DATA_DIR": str(tmp_path), "STAGES": "run", **variables}
        return read_settings(given, board)

    return read


def test_a_judge_is_named_by_its_model_or_its_deployment(settings_of):
    for name in (GPT, "stanfordhealthcare/gpt-4o-2024-05-13"):
        settings = settings_of("medhelm-public", JUDGE_OVERRIDES=f"{name}=x/y")
        assert judges.substitutes(settings) == {"stanfordhealthcare/gpt-4o-2024-05-13": "x/y"}
        assert judges.marks(settings) == ["judge replaced: stanfordhealthcare/gpt-4o-2024-05-13 by x/y"]
    same = settings_of("medhelm-public", JUDGE_OVERRIDES="stanfordhealthcare/gpt-4o-2024-05-13=" + GPT)
    assert judges.marks(same) == [], "the same model through another service is the same judge"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"JUDGE_OVERRIDES": "openai/gpt-4=x/y"}, "is no judge of safety, its judges: openai/gpt-4o-2024-05-13, tog"),
        ({"JUDGE_OVERRIDES": f"{GPT}=x/y", "MODELS_TO_RUN": GPT}, "is also evaluated"),
        ({"JUDGE_OVERRIDES": f"{GPT}={GPT}"}, "must not be replaced itself"),
        ({"JUDGE_OVERRIDES": f"{GPT}={LLAMA},{LLAMA}=x/y"}, "must not be replaced itself"),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(settings_of, variables, says):
    with pytest.raises(VariableError, match=says):
        judges.substitutes(settings_of("safety", **variables))


def test_the_users_own_file_stands_and_counts_as_a_replacement(settings_of, tmp_path):
    write_model(tmp_path / "prod_env", "http://x/v1", name=GPT)
    settings = settings_of("safety")
    assert judges.redefined(settings) == {GPT: "prod_env/model_deployments.yaml"}
    assert judges.marks(settings) == [f"judge replaced: {GPT} by prod_env/model_deployments.yaml"]
    with pytest.raises(VariableError, match="defines it as well"):
        judges.registrations(settings_of("safety", JUDGE_OVERRIDES=f"{GPT}=x/y"))


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    answer = "<reasoning>It refuses.</reasoning><score>1</score>"
    with OpenAIServer(models=["tested", "judge"], answer=lambda *_: answer) as running:
        yield running


@pytest.fixture
def two_models(tmp_path: Path, server: OpenAIServer) -> None:
    write_model(tmp_path / "data/prod_env", server.base_url, name="local/tested")
    write_model(tmp_path / "data/prod_env", server.base_url, name="other/judge")


def asked(server: OpenAIServer) -> list[str]:
    return [record.model for record in server.records]


@pytest.mark.helm
def test_without_an_override_nothing_starts_and_nothing_is_asked(run_board, two_models, server):
    done = run_board("air-bench", "run", network=True, MODELS_TO_RUN="local/tested")
    assert done.returncode == 4
    assert f"judge {GPT}: was withdrawn by its provider on 2026-10-23; name another with" in done.stderr
    assert f"JUDGE_OVERRIDES={GPT}=<model>" in done.stderr
    assert asked(server) == []


@pytest.mark.helm
def test_with_an_override_helm_asks_the_substitute(run_board, settings_of, helm_python, two_models, server, tmp_path):
    variables = {"MODELS_TO_RUN": "local/tested", "JUDGE_OVERRIDES": f"{GPT}=other/judge"}
    done = run_board("air-bench", "preflight", network=True, **variables)
    assert done.returncode == 0, done.stderr
    assert asked(server) == ["tested", "judge"]

    own_models.register(settings_of("air-bench", **variables, DATA_DIR=str(tmp_path / "data")))
    local_path = tmp_path / "data/prod_env/suites/my-suite"
    script = Path(__file__).with_name("ask_a_judge.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    command = [str(helm_python), str(script), str(local_path)]
    judged = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert judged.returncode == 0, judged.stderr
    assert judged.stdout.splitlines()[-1] == "score 1.0"
    assert asked(server) == ["tested", "judge", "judge"]
    # The substitute's answers are cached as its own, not as OpenAI's.
    assert [path.name for path in (tmp_path / "data/prod_env/cache").glob("*.sqlite")] == ["other.sqlite"]


@pytest.mark.helm
def test_a_substitute_that_helm_does_not_know_is_refused(run_board):
    done = run_board("air-bench", "preflight", JUDGE_OVERRIDES=f"{GPT}=simple/model2")
    assert done.returncode == 2
    assert "JUDGE_OVERRIDES=simple/model2: HELM 0.5.16 does not know this model; did you mean" in done.stderr


@pytest.mark.helm
def test_a_suite_is_marked_and_keeps_its_judge(smoke_board, helm_python, two_models, server, tmp_path):
    board = tmp_path / "board"
    board.mkdir()
    for file in smoke_board.iterdir():
        (board / file.name).write_bytes(file.read_bytes())
    record = json.loads((board / "board.json").read_text())
    judge = {"model": GPT, "deployment": GPT, "credential": None, "retired": "2026-01-01", "on_failure": "run-fails"}
    record["leaderboard"]["judges"] = [{**judge, "private": False, "used_by": [], "note": None}]
    (board / "board.json").write_text(json.dumps(record))
    run = entrypoint_with(helm_python, board, tmp_path / "data")
    variables = {"MODELS_TO_RUN": "simple/model1", "MAX_EVAL_INSTANCES": "1"}

    done = run("run", **variables, JUDGE_OVERRIDES=f"{GPT}=other/judge")
    assert done.returncode == 0, done.stderr
    mark = f"judge replaced: {GPT} by other/judge"
    assert f"10 of 10 runs complete (1 instances instead of 10; {mark})" in done.stderr
    receipt = json.loads((tmp_path / "data/benchmark_output/runs/my-suite/receipt.json").read_text())
    assert mark in receipt["partial"]
    assert receipt["variables"]["JUDGE_OVERRIDES"] == f"{GPT}=other/judge"

    own = tmp_path / "data/prod_env/suites/my-suite"
    before = {path.name: path.read_bytes() for path in own.iterdir() if path.is_file()}
    other = run("run", **variables, JUDGE_OVERRIDES=f"{GPT}=local/tested")
    assert other.returncode == 2
    assert "suite my-suite was started with judge_overrides=" in other.stderr
    assert run("preflight", **variables).returncode == 4, "a substitute of an earlier invocation must not remain"
    for command in ("plan", "dry-run"):
        looked = run(command, **variables)
        assert looked.returncode == 0, looked.stderr
    after = {path.name: path.read_bytes() for path in own.iterdir() if path.is_file()}
    assert after == before, "what is refused or only looks must not take a running suite's judge away"
    assert list(own.parent.iterdir()) == [own]

    forced = run("run", **variables, RESUME="force")
    assert forced.returncode == 0, forced.stderr
    assert GPT not in registration.registered(tmp_path / "data/prod_env", "my-suite")
    assert GPT not in (own / "model_deployments.yaml").read_text()


@pytest.mark.helm
@pytest.mark.parametrize(("variables", "jobs"), [({}, 2), ({"JUDGE_OVERRIDES": f"{GPT}=simple/model1"}, 1)])
def test_a_judge_in_the_container_is_loaded_by_one_process(run_board, tmp_path, variables, jobs):
    conf = tmp_path / "two.conf"
    conf.write_text(
        'entries: [{description: "harm_bench:model=text", priority: 1}\n'
        '{description: "harm_bench_gcg_transfer:model=text", priority: 1}]\n'
    )
    done = run_board(
        "safety",
        "run",
        RUN_ENTRIES_CONF_PATH=str(conf),
        PREFLIGHT="off",
        RUN_ATTEMPTS="1",
        MAX_EVAL_INSTANCES="1",
        MODELS_TO_RUN="openai/gpt-4o-2024-11-20",
        **variables,
    )
    # Without a network the runs find no data; by then it is decided who runs them.
    assert f"Running 2 run specs in {jobs} processes" in done.stdout + done.stderr
