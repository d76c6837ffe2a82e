"""The user's own registration files: never changed, checked, and stronger than ours."""

from __future__ import annotations

import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from helm_repro.inside.deployments import registration
from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.inputs.settings import read_settings
from helm_repro.inside.models import own_models
from helm_repro.inside.pipeline import apart

DEPLOYMENT = {
    "name": "endpoint-a/m",
    "model_name": "org/m",
    "client_spec": {"class_name": "helm.clients.openai_client.OpenAIClient"},
}
MODEL = registration.Model(
    name="org/m",
    deployment=DEPLOYMENT,
    facts={"variable": "MODEL_BASE_URL", "source": "http://host/v1"},
    metadata=registration.unknown_metadata("org/m", "M", "limited", True, False),
)
USERS = """\
models:  # a comment of mine
  - {name: org/m, creator_organization_name: Mine, display_name: Mine, description: Mine, access: open, release_date: 2026-01-02}
"""  # noqa: E501


def test_the_users_files_stay_and_win(tmp_path: Path) -> None:
    (tmp_path / "model_metadata.yaml").write_text(USERS)
    registration.register([MODEL], tmp_path, "suite", tmp_path / "runs/suite")
    assert (tmp_path / "model_metadata.yaml").read_text() == USERS
    own = registration.suite_local_path(tmp_path, "suite")
    (written,) = yaml.safe_load((own / "model_metadata.yaml").read_text())["models"]
    assert written["display_name"] == "Mine"
    assert yaml.safe_load((own / "model_deployments.yaml").read_text()) == {"model_deployments": [DEPLOYMENT]}
    assert (own / "cache").resolve() == tmp_path / "cache"
    assert registration.suite_local_path(tmp_path, "other") == tmp_path


def test_a_second_model_joins_the_first(tmp_path: Path) -> None:
    second = dataclasses.replace(MODEL, name="org/n", deployment={**DEPLOYMENT, "name": "endpoint-b/n"})
    for model in (MODEL, second):
        registration.register([model], tmp_path, "suite", tmp_path / "runs/suite")
    entries = registration.read_entries(tmp_path / "suites/suite/model_deployments.yaml")
    assert [entry["name"] for entry in entries] == ["endpoint-a/m", "endpoint-b/n"]


def test_shards_that_register_at_once_lose_and_tear_nothing(tmp_path: Path) -> None:
    """Threads, because they have one process number and one host name, as shards' containers may."""
    names = [f"org/m{number}" for number in range(8)]
    models = [
        dataclasses.replace(MODEL, name=name, deployment={**DEPLOYMENT, "name": f"endpoint/{name[4:]}"})
        for name in names
    ]
    start = threading.Barrier(len(models))

    def shard(model: registration.Model) -> None:
        start.wait()
        for _ in range(10):
            registration.register([model], tmp_path, "suite", tmp_path / "runs/suite")
            # Whole at any moment, and with what this shard needs.
            entries = registration.read_entries(tmp_path / "suites/suite/model_deployments.yaml")
            assert model.deployment["name"] in {entry["name"] for entry in entries}

    with ThreadPoolExecutor(len(models)) as shards:
        list(shards.map(shard, models))
    assert sorted(registration.registered(tmp_path, "suite")) == names
    assert not [path.name for path in (tmp_path / "suites/suite").iterdir() if path.name.startswith(".")]


def test_a_shard_that_finds_its_models_registered_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = registration.suite_folder(tmp_path, "suite")
    registration.register([MODEL], tmp_path, "suite", tmp_path / "runs/suite")
    locked, written = [], []
    lock, write = registration.byte_lock, registration.write_text
    monkeypatch.setattr(registration, "byte_lock", lambda *given: locked.append(given) or lock(*given))
    monkeypatch.setattr(registration, "write_text", lambda path, text: written.append(path.name) or write(path, text))
    registration.register([MODEL], tmp_path, "suite", tmp_path / "runs/suite")
    assert (locked, written) == ([], [])
    (own / "model_metadata.yaml").unlink()
    registration.register([MODEL], tmp_path, "suite", tmp_path / "runs/suite")
    assert (len(locked), written) == (1, ["model_metadata.yaml"])


def test_a_suite_with_answers_from_elsewhere_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "runs/suite/a:model=org_m"
    run.mkdir(parents=True)
    adapter = {"model": "org/m", "model_deployment": "endpoint-0/m"}
    (run / "run_spec.json").write_text(json.dumps({"adapter_spec": adapter}))
    with pytest.raises(VariableError, match="already holds runs of org/m by endpoint-0/m, this is endpoint-a/m"):
        registration.register([MODEL], tmp_path, "suite", run.parent)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("model_deployments.yaml", "a: [", "line 1, column 5 is not YAML"),
        ("model_deployments.yaml", "models: []", "must hold one field, model_deployments, with a list"),
        ("model_deployments.yaml", "", "must hold one field, model_deployments"),
        ("model_deployments.yaml", "model_deployments: [x]", "entry 1: must be a mapping"),
        ("model_deployments.yaml", "model_deployments: [{name: a/b}]", r"entry 1 \(a/b\): client_spec: missing"),
        (
            "model_deployments.yaml",
            "model_deployments: [{name: a/b, tokenizer_nam: x, client_spec: {class_name: a.B}}]",
            r"entry 1 \(a/b\): tokenizer_nam: unknown field, did you mean tokenizer_name\?",
        ),
        (
            "model_deployments.yaml",
            "model_deployments: [{name: a/b, max_sequence_length: long, client_spec: {class_name: a.B}}]",
            r"entry 1 \(a/b\): max_sequence_length: must be a whole number, not 'long'",
        ),
        ("model_deployments.yaml", "model_deployments: [{name: b, client_spec: {class_name: a.B}}]", "name: must be"),
        ("model_deployments.yaml", "model_deployments: [{name: a/b, client_spec: {args: {}}}]", "class_name: must be"),
        (
            "tokenizer_configs.yaml",
            "tokenizer_configs: [{name: a/b, tokenizer_spec: x}]",
            "tokenizer_spec: must be a map",
        ),
        ("model_metadata.yaml", "models: [{name: a/b}]", "creator_organization_name: missing"),
    ],
)
def test_a_wrong_file_is_named_with_entry_and_field(tmp_path: Path, file: str, text: str, problem: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(InsideError, match=problem) as caught:
        registration.check_user_files(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / file}:")
    assert caught.value.exit_code == 2


def test_a_model_is_not_silently_asked_where_it_was_asked_before(tmp_path: Path, board) -> None:
    settings = read_settings({"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": "org/m"}, board, ["run"])
    settings.prod_env.mkdir()
    registration.register([MODEL], settings.prod_env, settings.suite, settings.suite_path)
    settings.suite_path.mkdir(parents=True)
    (settings.suite_path / "suite.json").write_text("{}")
    with pytest.raises(
        VariableError,
        match="was started with MODEL_BASE_URL=http://host/v1; set it again or choose another SUITE_NAME",
    ):
        own_models.register(settings)


@pytest.mark.parametrize("variables", [{}, {"MODEL_BASE_URL": "http://host/v1"}])
def test_a_model_that_the_users_file_describes_later_is_asked_there_only(
    tmp_path: Path, board, variables: dict[str, str]
) -> None:
    given = {"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": "org/m", **variables}
    settings = read_settings(given, board, ["run"])
    settings.prod_env.mkdir()
    registration.register([MODEL], settings.prod_env, settings.suite, settings.suite_path)
    users = [{**DEPLOYMENT, "name": "mine/m"}]
    (settings.prod_env / "model_deployments.yaml").write_text(yaml.safe_dump({"model_deployments": users}))
    run = settings.suite_path / "a:model=org_m"
    run.mkdir(parents=True)
    (run.parent / "suite.json").write_text("{}")
    adapter = {"model": "org/m", "model_deployment": "endpoint-a/m"}
    (run / "run_spec.json").write_text(json.dumps({"adapter_spec": adapter}))
    with pytest.raises(VariableError, match="already holds runs of org/m by endpoint-a/m, this is mine/m; choose"):
        own_models.register(settings)
    (run / "run_spec.json").unlink()
    own_models.register(settings)
    assert registration.read_entries(settings.local_path / "model_deployments.yaml") == users
    assert own_models.facts(settings) == {}


def test_a_suite_that_has_not_begun_remembers_no_source(tmp_path: Path, board) -> None:
    settings = read_settings({"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": "org/m"}, board, ["run"])
    settings.prod_env.mkdir()
    other = dataclasses.replace(MODEL, name="org/n", deployment={**DEPLOYMENT, "name": "endpoint-b/n"})
    registration.register([MODEL, other], settings.prod_env, settings.suite, settings.suite_path)
    own_models.register(settings)
    assert list(registration.registered(settings.prod_env, settings.suite)) == ["org/n"]
    entries = registration.read_entries(settings.local_path / "model_deployments.yaml")
    assert [entry["name"] for entry in entries] == ["endpoint-b/n"]


def test_a_suite_without_models_of_ours_any_more_reads_what_the_user_adds(tmp_path: Path, board) -> None:
    settings = read_settings({"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": "org/m"}, board, ["run"])
    settings.prod_env.mkdir()
    registration.register([MODEL], settings.prod_env, settings.suite, settings.suite_path)
    own_models.register(settings)
    assert registration.registered(settings.prod_env, settings.suite) == {}
    (settings.prod_env / "model_metadata.yaml").write_text(USERS)
    own_models.register(settings)
    (entry,) = registration.read_entries(settings.local_path / "model_metadata.yaml")
    assert entry["display_name"] == "Mine"


def test_choices_for_a_model_of_the_hub_are_asked_for_by_their_variables(tmp_path: Path, board) -> None:
    settings = read_settings({"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": "openai/gpt2"}, board, ["run"])
    settings.prod_env.mkdir()
    chosen = {"dtype": "float16", "revision": None, "device": "auto", "chat_template": False}
    facts = {"variable": "MODELS_TO_RUN", "source": "openai-community/gpt2", "commit": "a" * 40, **chosen}
    model = dataclasses.replace(MODEL, name="openai/gpt2", facts=facts)
    registration.register([model], settings.prod_env, settings.suite, settings.suite_path)
    settings.suite_path.mkdir(parents=True)
    (settings.suite_path / "suite.json").write_text("{}")
    with pytest.raises(
        VariableError, match="my-suite was started with MODEL_DTYPE=float16 MODEL_CHAT_TEMPLATE=off; set them again"
    ):
        own_models.register(settings)


def test_what_only_looks_registers_apart_from_the_suite(tmp_path: Path, board) -> None:
    given = {"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": "org/m", "MODEL_BASE_URL": "http://other/v1"}
    settings = read_settings(given, board, ["run"])
    settings.prod_env.mkdir()
    (settings.prod_env / "credentials.conf").write_text("a: b")
    own = registration.suite_folder(settings.prod_env, settings.suite)
    registration.register([MODEL], settings.prod_env, settings.suite, settings.suite_path)
    before = {path.name: path.read_bytes() for path in own.iterdir() if path.is_file()}
    with apart(settings) as looking:
        own_models.register(looking)
        (entry,) = registration.read_entries(looking.local_path / "model_deployments.yaml")
        assert entry["client_spec"]["args"]["base_url"] == "http://other/v1"
        assert (looking.local_path / "credentials.conf").read_text() == "a: b"
    assert {path.name: path.read_bytes() for path in own.iterdir() if path.is_file()} == before
    assert list(own.parent.iterdir()) == [own]
    assert (settings.prod_env / "credentials.conf").is_file()


@pytest.mark.parametrize("variable", ["MODEL_DTYPE=float16", "MODEL_REVISION=main", "MODEL_DEVICE=cpu"])
def test_choices_for_a_model_in_the_container_are_not_ignored_by_a_hosted_one(
    tmp_path: Path, board, variable: str
) -> None:
    name, _, value = variable.partition("=")
    given = {"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": "maker/one maker/two", name: value}
    settings = read_settings(given, board, ["run"])
    settings.prod_env.mkdir()
    with pytest.raises(
        VariableError, match=f"{variable}: has no effect: HELM's HuggingFaceClient runs none of maker/one maker/two"
    ):
        own_models.register(settings)
