"""Merging keeps what the parts know of models of one's own, and refuses parts that reached one in different ways."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm_repro.errors import ConfigurationError
from helm_repro.inside.deployments import registration
from helm_repro.inside.deployments.endpoint import Endpoint, model
from helm_repro.results.merge import merge
from tests.cluster.conftest import Command
from tests.cluster.test_merge import _suite
from tests.support.openai_server import OpenAIServer

_HERE = Endpoint(
    base_url="http://one:8000/v1",
    api="chat",
    name_on_server=None,
    tokenizer=None,
    max_sequence_length=None,
    display_name="Mine",
    instruction_following="auto",
    timeout=600,
    id=None,
    has_key=False,
)
_MOVED = dataclasses.replace(_HERE, base_url="http://two:8000/v1")


def test_what_the_parts_know_of_their_models_is_joined(tmp_path: Path) -> None:
    parts = [_part(tmp_path / "a", "x", "org/m", _HERE), _part(tmp_path / "b", "y", "org/n", _MOVED)]
    target = _runs(tmp_path / "joined")
    for _ in range(2):
        merge(parts, target)
        own = registration.suite_local_path(tmp_path / "joined/prod_env", "my-suite")
        assert set(json.loads((own / "models.json").read_bytes())) == {"org/m", "org/n"}
        metadata = yaml.safe_load((own / "model_metadata.yaml").read_text())["models"]
        assert [(entry["name"], entry["display_name"]) for entry in metadata] == [("org/m", "Mine"), ("org/n", "Mine")]
        assert len(registration.read_entries(own / "model_deployments.yaml")) == 2


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (_MOVED, "source is http://two:8000/v1, but http://one:8000/v1 in"),
        (dataclasses.replace(_HERE, name_on_server="n"), "name_on_server is n, but org/m in"),
        (dataclasses.replace(_HERE, id="mine"), "name is endpoint-mine-.*, but endpoint-.* in"),
        (dataclasses.replace(_HERE, display_name="His"), "display_name is His, but Mine in"),
        (dataclasses.replace(_HERE, instruction_following="off"), "instruction_following is False, but True in"),
    ],
)
def test_a_model_that_was_reached_in_two_ways_is_refused(tmp_path: Path, other: Endpoint, difference: str) -> None:
    parts = [_part(tmp_path / "a", "x", "org/m", _HERE), _part(tmp_path / "b", "y", "org/m", other)]
    target = _runs(tmp_path / "joined")
    with pytest.raises(ConfigurationError, match=rf"^\S*/b/\S+my-suite: org/m: {difference} \S*/a/\S+my-suite$"):
        merge(parts, target)
    assert not (tmp_path / "joined").exists()
    # What is there already counts as a part.
    merge(parts[:1], target)
    before = _contents(tmp_path / "joined")
    with pytest.raises(ConfigurationError, match=difference):
        merge(parts[1:], target)
    assert _contents(tmp_path / "joined") == before


def test_a_server_that_moved_under_its_name_is_the_same(tmp_path: Path) -> None:
    first, second = (dataclasses.replace(endpoint, id="mine") for endpoint in (_HERE, _MOVED))
    second = dataclasses.replace(second, timeout=5, has_key=True)
    parts = [_part(tmp_path / "a", "x", "org/m", first), _part(tmp_path / "b", "y", "org/m", second)]
    merge(parts, _runs(tmp_path / "joined"))
    record = registration.registered(tmp_path / "joined/prod_env", "my-suite")
    assert record["org/m"]["facts"]["source"] == _HERE.base_url


def test_runs_from_elsewhere_are_refused_in_a_part_that_knows_no_server(tmp_path: Path) -> None:
    parts = [_part(tmp_path / "a", "x", "org/m", _HERE), _part(tmp_path / "b", "y", "org/m", None)]
    _asked_at(parts[1] / "y", "org/m", "openai/m")
    with pytest.raises(ConfigurationError, match=r"b/\S+: holds runs of org/m by openai/m, but it is endpoint-\S+ in "):
        merge(parts, _runs(tmp_path / "joined"))


def test_replaced_judges_are_not_remembered(tmp_path: Path) -> None:
    parts = [_part(tmp_path / name, run, "org/m", _HERE) for name, run in (("a", "x"), ("b", "y"))]
    for name in ("a", "b"):
        prod_env = tmp_path / name / "prod_env"
        judge = registration.Model(
            "j/judge",
            {"name": "j/judge", "client_spec": {"class_name": "a.B", "args": {"local_path": str(prod_env)}}},
            {"variable": "JUDGE_OVERRIDES", "source": "x/y", "role": "judge"},
        )
        registration.register([judge], prod_env, "my-suite", parts[0])
    merge(parts, _runs(tmp_path / "joined"))
    assert set(registration.registered(tmp_path / "joined/prod_env", "my-suite")) == {"org/m"}


def test_files_of_the_user_s_are_named_and_not_copied(helm_repro: Command, tmp_path: Path) -> None:
    _part(tmp_path / "a", "x", "org/m", None)
    mine = tmp_path / "a/prod_env/model_deployments.yaml"
    _write_deployment(mine, "http://one/v1")
    arguments = ("merge", str(tmp_path / "a"), "--output", str(tmp_path / "joined"))
    done = helm_repro(*arguments, check=False)
    assert done.returncode == 3, done.stderr
    assert f"not merged: {mine}, a file of yours; {tmp_path}/joined/prod_env needs" in done.stdout
    assert not (tmp_path / "joined/prod_env").exists()

    _write_deployment(tmp_path / "joined/prod_env/model_deployments.yaml", "http://one/v1")
    assert "not merged" not in helm_repro(*arguments, check=False).stdout
    _write_deployment(tmp_path / "joined/prod_env/model_deployments.yaml", "http://two/v1")
    done = helm_repro(*arguments, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"{mine}: mine/m: base_url is http://one/v1, but http://two/v1 in {tmp_path}/joined/prod_env" in line
    # What they say of other models is no matter.
    mine.write_text(mine.read_text().replace("org/m", "org/other"))
    assert helm_repro(*arguments, check=False).returncode == 3


@pytest.mark.helm
def test_a_model_behind_a_server_keeps_its_name_on_the_page(helm_repro: Command, tmp_path: Path) -> None:
    run = ("run", "smoke", "--engine", "local", "--model", "my-org/my-model", "-e", "MAX_EVAL_INSTANCES=2")
    parts = [str(tmp_path / f"part{index}") for index in (0, 1)]
    with OpenAIServer() as server, OpenAIServer() as other:
        for index, part in enumerate(parts):
            shard = ("-e", f"SHARD_INDEX={index}", "-e", "SHARD_COUNT=2", "--stages", "run", "--output", part)
            helm_repro(*run, *_server(server), *shard)
        elsewhere = str(tmp_path / "elsewhere")
        helm_repro(*run, *_server(other), *shard, "--output", elsewhere)
        refused = helm_repro("merge", parts[0], elsewhere, "--output", str(tmp_path / "wrong"), check=False)
        assert refused.returncode == 2
        (line,) = refused.stderr.splitlines()
        assert f"source is {other.base_url}, but {server.base_url} in {parts[0]}/" in line
        assert not (tmp_path / "wrong").exists()

        output = tmp_path / "joined"
        helm_repro("merge", *parts, "--output", str(output))
        stages = ("--engine", "local", "--output", str(output), "--stages")
        helm_repro("run", "smoke", *stages, "summarize")
        schema = json.loads((_runs(output) / "schema.json").read_bytes())
        assert [(entry["name"], entry["display_name"]) for entry in schema["models"]] == [("my-org/my-model", "Mine")]
        completing = helm_repro(*run, *_server(other), *stages, "run", check=False)
        assert completing.returncode == 2
        forgetful = helm_repro(*run, *stages, "run", check=False)
        assert f"was started with MODEL_BASE_URL={server.base_url}; set it again" in forgetful.stdout + forgetful.stderr


def _server(server: OpenAIServer) -> tuple[str, ...]:
    return ("-e", f"MODEL_BASE_URL={server.base_url}", "-e", "MODEL_DISPLAY_NAME=Mine")


def _runs(output: Path) -> Path:
    return output / "benchmark_output/runs/my-suite"


def _part(output: Path, run: str, name: str, endpoint: Endpoint | None) -> Path:
    """An output folder with one run of the model; its suite's folder."""
    suite = _suite(_runs(output), [run], models=[name])
    (output / "prod_env").mkdir()
    if endpoint:
        registered = model(endpoint, name, "0.5.16")
        registration.register([registered], output / "prod_env", "my-suite", suite)
        _asked_at(suite / run, name, registered.deployment["name"])
    return suite


def _asked_at(run: Path, name: str, deployment: str) -> None:
    spec: dict[str, Any] = json.loads((run / "run_spec.json").read_bytes())
    state: dict[str, Any] = json.loads((run / "scenario_state.json").read_bytes())
    adapter = {**spec["adapter_spec"], "model": name, "model_deployment": deployment}
    (run / "run_spec.json").write_text(json.dumps({**spec, "adapter_spec": adapter}))
    (run / "scenario_state.json").write_text(json.dumps({**state, "adapter_spec": adapter}))


def _write_deployment(path: Path, base_url: str) -> None:
    spec = {"class_name": "helm.clients.openai_client.OpenAIClient", "args": {"base_url": base_url, "api_key": "x"}}
    entry = {"name": "mine/m", "model_name": "org/m", "client_spec": spec}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"model_deployments": [entry]}))


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
