"""Building, with a stand-in for the docker command that records what it is asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.errors import EngineError
from helm_repro.images import bake
from helm_repro.images.definition import Options

DOCKER = """#!{python}
import json, os, sys
words = sys.argv[1:]
text = sys.stdin.read() if "bake" in words else ""
with open({log!r}, "a") as log:
    log.write(json.dumps([words, text]) + "\\n")
if words[0] == "image" or words[0] == "pull":
    sys.exit(0 if words[-1] in {present!r} and words[0] == "image" else 1)
sys.exit({bake_code} if "bake" in words else 0)
"""


class Docker:
    """A directory for PATH whose ``docker`` knows some images and otherwise only takes notes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self._folder = folder
        self._log = folder / "log"
        monkeypatch.setenv("PATH", str(folder))

    def knows(self, *images: str, bake_code: int = 0) -> None:
        script = self._folder / "docker"
        script.write_text(
            DOCKER.format(python=sys.executable, log=str(self._log), present=list(images), bake_code=bake_code)
        )
        script.chmod(0o755)

    def calls(self, word: str) -> list[tuple[list[str], Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [(words, json.loads(text) if text else None) for words, text in lines if word in words]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    for name in bake._PASSED_ON:
        monkeypatch.delenv(name, raising=False)
    return Docker(tmp_path, monkeypatch)


def test_boards_are_rendered_and_baked(catalogue: Catalogue, docker: Docker) -> None:
    docker.knows("python:3.11-slim-bookworm")
    assert bake.build(catalogue, ["smoke", "mmlu"], Options()) == ["helm-repro:smoke", "helm-repro:mmlu"]
    ((words, definition),) = docker.calls("bake")
    assert words == ["buildx", "bake", "--file", "-", "--provenance=false"]
    assert set(definition["target"]) == {"smoke", "mmlu"}
    board = catalogue.root / definition["target"]["mmlu"]["contexts"]["board"]
    assert json.loads((board / "board.json").read_text())["leaderboard"]["id"] == "mmlu"


def test_our_base_image_is_used_when_the_default_cannot_be_pulled(catalogue: Catalogue, docker: Docker) -> None:
    docker.knows("helm-repro-base:bookworm")
    said: list[str] = []
    bake.build(catalogue, ["smoke"], Options(), said.append)
    ((_, definition),) = docker.calls("bake")
    assert definition["target"]["smoke"]["args"]["BASE_IMAGE"] == "helm-repro-base:bookworm"
    assert said == ["base image python:3.11-slim-bookworm cannot be pulled, using helm-repro-base:bookworm"]


def test_without_any_base_image_the_error_says_what_to_do(catalogue: Catalogue, docker: Docker) -> None:
    docker.knows()
    with pytest.raises(EngineError) as raised:
        bake.build(catalogue, ["smoke"], Options())
    assert str(raised.value) == (
        "base image python:3.11-slim-bookworm cannot be pulled; without a registry, "
        "run `make base-image` and pass BASE_IMAGE=helm-repro-base:bookworm"
    )


def test_a_base_image_of_the_users_is_never_replaced(catalogue: Catalogue, docker: Docker) -> None:
    docker.knows("helm-repro-base:bookworm")
    with pytest.raises(EngineError, match="base image mine:1 cannot be pulled"):
        bake.build(catalogue, ["smoke"], Options(base_image="mine:1"))


def test_proxies_are_named_on_the_command_line_without_their_value(
    catalogue: Catalogue, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.knows("python:3.11-slim-bookworm")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy.example:3128")
    bake.build(catalogue, ["smoke"], Options())
    ((words, definition),) = docker.calls("bake")
    assert words[words.index("--set") + 1] == "*.args.HTTPS_PROXY"
    assert "password" not in json.dumps([words, definition])


def test_pushed_images_carry_sbom_and_provenance(catalogue: Catalogue, docker: Docker) -> None:
    docker.knows("python:3.11-slim-bookworm")
    bake.build(catalogue, ["smoke"], Options(push=True, repository="registry.example/helm-repro"))
    ((words, definition),) = docker.calls("bake")
    assert words[4:] == ["--sbom=true", "--provenance=mode=max"]
    assert definition["target"]["smoke"]["output"] == ["type=registry"]
    assert definition["target"]["smoke"]["tags"] == ["registry.example/helm-repro:smoke"]


def test_a_failed_build_is_an_error_naming_the_boards(catalogue: Catalogue, docker: Docker) -> None:
    docker.knows("python:3.11-slim-bookworm", bake_code=1)
    with pytest.raises(EngineError, match="building smoke, mmlu failed, see the log above"):
        bake.build(catalogue, ["smoke", "mmlu"], Options())


def test_no_docker_is_one_clear_line(catalogue: Catalogue, docker: Docker) -> None:
    with pytest.raises(EngineError, match="docker: not installed; images need Docker 23 or later with buildx"):
        bake.build(catalogue, ["smoke"], Options())
