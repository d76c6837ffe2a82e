"""The bake definition: boards of an environment differ in nothing that makes a layer, and no secret is in it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.catalogue.render import lock_path
from helm_repro.errors import ConfigurationError
from helm_repro.images.definition import LINKED_STAGES, Options, definition
from helm_repro.images.labels import PREFIX
from tests.conftest import ROOT


def test_targets_of_an_environment_differ_in_board_tag_and_labels_only(catalogue: Catalogue) -> None:
    targets = definition(catalogue, ["smoke", "mmlu", "lite"], Options())["target"]
    alike = [{k: v for k, v in t.items() if k not in ("contexts", "labels", "tags")} for t in targets.values()]
    assert alike[0] == alike[1] == alike[2]
    assert [target["tags"] for target in targets.values()] == [
        ["helm-repro:smoke"],
        ["helm-repro:mmlu"],
        ["helm-repro:lite"],
    ]
    assert targets["mmlu"]["contexts"] == {"board": "build/boards/mmlu"}


def test_the_default_group_builds_all_that_were_asked_for_once(catalogue: Catalogue) -> None:
    rendered = definition(catalogue, ["mmlu", "smoke", "mmlu"], Options())
    assert rendered["group"] == {"default": {"targets": ["mmlu", "smoke"]}}
    assert list(rendered["target"]) == ["mmlu", "smoke"]


def test_the_whole_catalogue_has_a_definition_that_is_json(catalogue: Catalogue) -> None:
    locked = [board.id for board in catalogue.leaderboards.values() if lock_path(catalogue, board).is_file()]
    rendered = definition(catalogue, locked, Options())
    assert json.loads(json.dumps(rendered)) == rendered
    assert len(rendered["group"]["default"]["targets"]) == len(locked) == len(catalogue.leaderboards)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") for name in rendered["target"])


def test_an_environment_starts_from_the_stages_of_the_one_it_extends(catalogue: Catalogue) -> None:
    targets = definition(catalogue, ["vhelm", "image2struct"], Options())["target"]
    assert targets["image2struct"]["contexts"] == {
        "board": "build/boards/image2struct",
        "inherited-environment": "target:environment-helm-0_5_16-vlm",
        "inherited-layers": "target:layers-helm-0_5_16-vlm",
    }
    chain = [name for name in targets if name.startswith("layers-")]
    assert sorted(chain) == ["layers-helm-0_5_16", "layers-helm-0_5_16-torch", "layers-helm-0_5_16-vlm"]
    for name, target in targets.items():
        for context in target["contexts"].values():
            assert not context.startswith("target:") or context.removeprefix("target:") in targets
        assert ("tags" in target) is (name in ("vhelm", "image2struct"))
    # The same arguments, or the two would be built twice.
    assert targets["layers-helm-0_5_16-vlm"]["args"] == targets["vhelm"]["args"]
    assert targets["layers-helm-0_5_16-vlm"]["target"] == "layers"
    assert targets["environment-helm-0_5_16"]["contexts"] == {}


def test_only_leaderboards_become_images(catalogue: Catalogue) -> None:
    for push, kind in ((False, "type=docker"), (True, "type=registry")):
        targets = definition(catalogue, ["safety"], Options(push=push))["target"]
        assert targets["safety"]["output"] == [kind]
        others = [target["output"] for name, target in targets.items() if name != "safety"]
        assert others == [["type=cacheonly"]] * 2


def test_stages_of_the_dockerfile_have_the_names_that_contexts_replace() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for stage in LINKED_STAGES:
        assert f" AS inherited-{stage}\n" in text
        assert f"FROM inherited-{stage} AS {stage}\n" in text


def test_an_unknown_leaderboard_is_refused_by_name(catalogue: Catalogue) -> None:
    with pytest.raises(ConfigurationError, match="nonsense: unknown leaderboard, allowed: smoke"):
        definition(catalogue, ["nonsense"], Options())


def test_an_environment_without_a_lock_is_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"images/helm-0\.5\.16: has no requirements\.lock, run `make lock"):
        definition(dataclasses.replace(catalogue, root=tmp_path), ["smoke"], Options())


def test_labels_are_the_catalogues_facts(catalogue: Catalogue) -> None:
    labels = definition(catalogue, ["mmlu"], Options())["target"]["mmlu"]["labels"]
    board = catalogue.leaderboards["mmlu"]
    assert labels[PREFIX + "helm_version"] == "0.5.16"
    assert labels[PREFIX + "helm_commit"] == "ef439fc94e58568fd1274d5c07ceb1b711360a55"
    assert labels[PREFIX + "entries_sha256"] == board.entries_sha256
    assert labels[PREFIX + "schema_sha256"] == board.schema_sha256
    assert labels[PREFIX + "status"] == board.status
    assert len(labels[PREFIX + "lock_sha256"]) == 64
    assert labels["org.opencontainers.image.title"] == "helm-repro mmlu"
    assert all(isinstance(value, str) for value in labels.values())


def test_judges_and_their_keys_are_labels(catalogue: Catalogue) -> None:
    labels = definition(catalogue, ["air-bench"], Options())["target"]["air-bench"]["labels"]
    assert labels[PREFIX + "judges"] == ",".join(j.model for j in catalogue.leaderboards["air-bench"].judges) != ""
    assert "OPENAI_API_KEY" in labels[PREFIX + "credentials"]


def test_secrets_are_named_and_never_read(catalogue: Catalogue, tmp_path: Path) -> None:
    certificate = tmp_path / "company.pem"
    certificate.write_text("CERTIFICATE")
    environ = {"CA_FILE": str(certificate), "PIP_INDEX_URL": "https://user:password@mirror.example/simple"}
    rendered = definition(catalogue, ["smoke"], Options.from_environment(environ))
    assert rendered["target"]["smoke"]["secret"] == [f"id=ca,src={certificate}", "id=index,env=PIP_INDEX_URL"]
    assert "password" not in json.dumps(rendered)
    assert "CERTIFICATE" not in json.dumps(rendered)


def test_options_come_from_the_environment(tmp_path: Path) -> None:
    assert Options.from_environment({}) == Options()
    assert Options.from_environment({"BASE_IMAGE": "mirror/python:3.11"}).base_image == "mirror/python:3.11"
    assert Options.from_environment({"SSL_CERT_FILE": str(tmp_path / "none")}).ca_file is None
    with pytest.raises(ConfigurationError, match=r"CA_FILE=.*none: no such file"):
        Options.from_environment({"CA_FILE": str(tmp_path / "none")})


def test_the_default_base_image_has_the_environments_python(catalogue: Catalogue) -> None:
    arguments = definition(catalogue, ["smoke"], Options())["target"]["smoke"]["args"]
    assert arguments["BASE_IMAGE"] == "python:3.11-slim-bookworm"
    own = definition(catalogue, ["smoke"], Options(base_image="base:1"))["target"]["smoke"]["args"]
    assert own == {**arguments, "BASE_IMAGE": "base:1"}


def test_gpu_flavours_have_names_of_their_own_and_share_the_layers_of_pytorch(catalogue: Catalogue) -> None:
    targets = definition(catalogue, ["lite", "torr", "safety", "vhelm"], Options(gpu=True))["target"]
    assert {name: target["args"]["ENVIRONMENT"] for name, target in targets.items() if "tags" in target} == {
        "lite-gpu": "helm-0.5.16-gpu",
        "torr-gpu": "helm-0.5.16-gpu",
        "safety-gpu": "helm-0.5.15-gpu",
        "vhelm-gpu": "helm-0.5.16-vlm",
    }
    assert targets["lite-gpu"]["tags"] == ["helm-repro:lite-gpu"]
    assert targets["lite-gpu"]["labels"][PREFIX + "flavour"] == "gpu"
    assert targets["lite-gpu"]["labels"][PREFIX + "leaderboard"] == "lite"
    contexts = targets["lite-gpu"]["contexts"]
    assert contexts.pop("board") == "build/boards/lite-gpu"
    for name in ("torr-gpu", "safety-gpu", "vhelm-gpu"):
        assert {**targets[name]["contexts"], **contexts} == targets[name]["contexts"]
