"""Models that run in the container: what is checked before HELM starts, and what HELM is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from helm_repro.inside.deployments import huggingface
from helm_repro.inside.deployments.hub import Hub
from helm_repro.inside.deployments.huggingface import read_local_model
from helm_repro.inside.errors import VariableError
from tests.conftest import ROOT

NAME = "huggingface/tiny"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "config.json").write_text('{"max_position_embeddings": 2048}')
    (path / "tokenizer_config.json").write_text(
        json.dumps({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "model_max_length": 10**30})
    )
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def told(folder: Path, **variables: str):
    local = read_local_model({"LOCAL_MODEL_PATH": str(folder), **variables}.get, [NAME])
    assert local is not None
    model = huggingface.model(local, NAME, Hub(folder.parent / "cache"))
    assert model is not None
    return model


def test_what_helm_is_told(folder: Path) -> None:
    model = told(folder)
    assert model.deployment["client_spec"] == {
        "class_name": "helm.clients.huggingface_client.HuggingFaceClient",
        "args": {"pretrained_model_name_or_path": str(folder), "apply_chat_template": False},
    }
    # The tokenizer's "not stated" does not count.
    assert model.deployment["max_sequence_length"] == 2048
    assert model.tokenizer is not None
    assert (model.tokenizer["prefix_token"], model.tokenizer["end_of_text_token"]) == ("<s>", "</s>")
    assert model.deployment["tokenizer_name"] == model.tokenizer["name"]
    assert model.metadata is not None
    assert model.metadata["tags"] == ["TEXT_MODEL_TAG", "FULL_FUNCTIONALITY_TEXT_MODEL_TAG"]


def test_choices_are_explicit_and_recorded(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    model = told(folder, MODEL_DTYPE="bfloat16", MODEL_DEVICE="cuda", MODEL_CHAT_TEMPLATE="on")
    arguments = model.deployment["client_spec"]["args"]
    assert arguments["torch_dtype"] == "torch.bfloat16"
    assert arguments["device"] == "cuda:0"
    assert arguments["apply_chat_template"] is True
    assert {key: model.facts[key] for key in ("dtype", "device", "chat_template", "instruction_following")} == {
        "dtype": "bfloat16",
        "device": "cuda",
        "chat_template": True,
        "instruction_following": True,
    }
    assert told(folder, MODEL_CHAT_TEMPLATE="off").facts["chat_template"] is False
    assert told(folder).facts["chat_template"] is True
    assert told(folder, MODEL_DEVICE="all").deployment["client_spec"]["args"]["device_map"] == "auto"


def test_other_weights_or_choices_are_another_deployment(folder: Path, tmp_path: Path) -> None:
    names = {told(folder).deployment["name"], told(folder, MODEL_DTYPE="float16").deployment["name"]}
    (folder / "model.safetensors").write_bytes(b"retrain")
    names.add(told(folder).deployment["name"])
    assert len(names) == 3
    before = huggingface.fingerprint(folder)
    assert huggingface.fingerprint(Path(shutil.copytree(folder, tmp_path / "copy"))) == before


def test_large_weights_are_sampled_throughout(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(bytes(20_000_000))
    before = huggingface.fingerprint(folder)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert huggingface.fingerprint(folder) != before


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"LOCAL_MODEL_PATH": "/nowhere"}, "LOCAL_MODEL_PATH=/nowhere: no such folder; mount it"),
        ({"LOCAL_MODEL_PATH": "/"}, "LOCAL_MODEL_PATH=/: holds no config.json"),
        ({"LOCAL_MODEL_PATH": "/x", "MODEL_BASE_URL": "http://h/v1"}, "a model is in one place"),
        ({"MODEL_DTYPE": "float16", "MODEL_BASE_URL": "http://h/v1"}, "MODEL_DTYPE=float16: has no effect with"),
        ({"MODEL_DTYPE": "int3"}, "MODEL_DTYPE=int3: allowed: auto, float32"),
        ({"MODEL_REVISION": "a b"}, "MODEL_REVISION=a b: must be a branch, tag or commit"),
    ],
)
def test_wrong_variables(variables: dict[str, str], named: str) -> None:
    with pytest.raises(VariableError) as caught:
        read_local_model(variables.get, [NAME])
    assert named in str(caught.value)


@pytest.mark.parametrize("name", ["MODEL_DISPLAY_NAME", "MODEL_INSTRUCTION_FOLLOWING"])
def test_variables_without_a_model_of_ones_own(name: str) -> None:
    value = "on"
    with pytest.raises(VariableError, match=f"{name}={value}: has no effect without MODEL_BASE_URL or LOCAL_MODEL"):
        read_local_model({name: value}.get, ["openai/gpt-4o-2024-11-20"])


@pytest.mark.parametrize("models", [["huggingface/org/name"], ["openai/gpt2"]])
def test_a_default_that_is_given_is_the_same_as_none(models: list[str]) -> None:
    unset = read_local_model({}.get, models)
    for name in ("MODEL_DTYPE", "MODEL_CHAT_TEMPLATE", "MODEL_DEVICE", "MODEL_INSTRUCTION_FOLLOWING"):
        assert read_local_model({name: "auto"}.get, models) == unset
        assert read_local_model({name: "auto", "MODEL_BASE_URL": "http://h/v1"}.get, models) is None
    assert (unset is None) == (models == ["openai/gpt2"])
    assert unset is None or not unset.has_choices


def test_variables_that_do_not_fit_the_folder(folder: Path) -> None:
    with pytest.raises(VariableError, match="MODEL_REVISION=main: has no effect with LOCAL_MODEL_PATH"):
        told(folder, MODEL_REVISION="main")
    with pytest.raises(VariableError, match="has no chat template"):
        told(folder, MODEL_CHAT_TEMPLATE="on")
    (folder / "config.json").write_text("{}")
    with pytest.raises(VariableError, match="MODEL_MAX_SEQUENCE_LENGTH=: must be set"):
        told(folder)
    assert told(folder, MODEL_MAX_SEQUENCE_LENGTH="77").deployment["max_sequence_length"] == 77
    (folder / "model.safetensors").unlink()
    with pytest.raises(VariableError, match="holds no weights"):
        told(folder)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/models/My Model", "huggingface/My-Model"), ("/models/x/", "huggingface/x"), ("/", "huggingface/model")],
)
def test_a_folder_gives_the_name(path: str, name: str) -> None:
    assert huggingface.default_name(path) == name


_HUB = """
import sys
from pathlib import Path
from helm_repro.inside.deployments import huggingface
from helm_repro.inside.errors import InsideError
from helm_repro.inside.deployments.hub import Hub
hub = Hub(Path(sys.argv[1]), offline=True)
bare = huggingface.read_local_model({}.get, ["huggingface/org/name"])
model = huggingface.model(bare, "huggingface/org/name", hub)
print(model.facts["commit"], model.deployment["client_spec"]["args"]["pretrained_model_name_or_path"])
print(model.facts["commit"] == model.deployment["client_spec"]["args"]["revision"], model.metadata["tags"][-1])
next(Path(sys.argv[1]).glob("hub/models--org--name/snapshots/*")).joinpath("more.safetensors").write_bytes(b"later")
again = huggingface.model(bare, "huggingface/org/name", hub)
print(again == model, huggingface.model(bare, "openai/gpt2", hub))
local = huggingface.read_local_model({"MODEL_DTYPE": "float16"}.get, ["huggingface/org/name"])
moved = Path(sys.argv[1]) / "hub/models--org--name"
next(moved.glob("snapshots/*")).rename(moved / "snapshots" / ("b" * 40))
(moved / "refs/main").write_text("b" * 40)
(moved / "snapshots" / ("a" * 40)).symlink_to("b" * 40)
resumed = huggingface.model(bare, "huggingface/org/name", hub, model.facts)
anew = huggingface.model(bare, "huggingface/org/name", hub, {**model.facts, "revision": "v1"})
print(resumed == model, resumed.facts["revision"], anew.facts["commit"][0])
known = huggingface.model(local, "openai/gpt2", hub)
print(known.metadata, known.deployment["max_sequence_length"], known.deployment["client_spec"]["args"]["torch_dtype"])
try:
    huggingface.model(local, "huggingface/org/other", hub)
except InsideError as error:
    print(error.exit_code, error)
"""


@pytest.mark.helm
def test_models_of_the_hub_in_the_cache(folder: Path, tmp_path: Path, helm_python: Path) -> None:
    """With the image's libraries and HELM's own list, but without a network: the hub's cache is enough."""
    for repository in ("models--org--name", "models--openai-community--gpt2"):
        snapshot = tmp_path / "cache/hub" / repository / "snapshots" / ("a" * 40)
        shutil.copytree(folder, snapshot)
        (snapshot / "chat_template.jinja").write_text("{{ messages }}")
        (snapshot.parents[1] / "refs").mkdir()
        (snapshot.parents[1] / "refs/main").write_text("a" * 40)
    done = subprocess.run(
        [str(helm_python), "-c", _HUB, str(tmp_path / "cache")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{'a' * 40} org/name"
    assert lines[1] == "True INSTRUCTION_FOLLOWING_MODEL_TAG"
    # Weights that arrive later make it no other model, and HELM's own model needs no record of ours.
    assert lines[2] == "True None"
    # The hub's branch has moved on: a suite that has begun does not, unless another revision is asked for.
    assert lines[3] == "True None b"
    # HELM's own record and limit stay.
    assert lines[4] == "None 1024 torch.float16"
    assert lines[5].startswith("6 MODELS_TO_RUN=huggingface/org/other: is not in the cache, and OFFLINE=1; run `warm`")


def test_choices_leave_models_elsewhere_alone(tmp_path: Path) -> None:
    local = read_local_model({"MODEL_DTYPE": "float16"}.get, ["openai/gpt-4o-2024-11-20"])
    assert local is not None
    assert huggingface.model(local, "openai/gpt-4o-2024-11-20", Hub(tmp_path)) is None
