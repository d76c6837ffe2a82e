"""The gpu flavour: the same leaderboard, the same packages, and PyTorch."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import yaml

from helm_repro.catalogue import Catalogue, load_catalogue
from helm_repro.catalogue.render import inputs_sha256, lock_path, write_board
from helm_repro.errors import ConfigurationError
from helm_repro.images.lock import pinned_versions
from helm_repro.inside.inputs.board import load_board
from tests.conftest import ROOT


def test_every_leaderboard_has_one_with_the_packages_of_its_own_environment(catalogue: Catalogue) -> None:
    for board in catalogue.leaderboards.values():
        flavour = catalogue.gpu_flavour(board)
        environment = catalogue.environment_of(flavour)
        assert environment.torch, board.id
        assert environment.helm_commit == catalogue.environment_of(board).helm_commit
        assert set(catalogue.environment_of(board).system_packages) <= set(environment.system_packages)
        own, more = (pinned_versions(lock_path(catalogue, each).read_text()) for each in (board, flavour))
        # Other versions would be another leaderboard: sampling once changed with pandas.
        assert own.items() <= more.items(), board.id
        assert {"torch", "transformers", "accelerate"} <= more.keys(), board.id


def test_it_differs_in_its_environment_and_name_only(catalogue: Catalogue, tmp_path: Path) -> None:
    lite = catalogue.leaderboards["lite"]
    flavour = catalogue.gpu_flavour(lite)
    assert (lite.tag, flavour.tag) == ("lite", "lite-gpu")
    assert (lite.environment, flavour.environment) == ("helm-0.5.16", "helm-0.5.16-gpu")
    assert {**flavour.model_dump(), "environment": lite.environment, "flavour": None} == lite.model_dump()
    assert inputs_sha256(catalogue, lite) != inputs_sha256(catalogue, flavour)
    folder = write_board(catalogue, flavour, tmp_path / "board")
    board = load_board({"HELM_REPRO_BOARD": str(folder)})
    assert (board.id, board.environment["id"]) == ("lite", "helm-0.5.16-gpu")


def test_one_that_needs_pytorch_anyway_keeps_its_environment(catalogue: Catalogue) -> None:
    for name in ("medhelm-public", "vhelm", "audio", "image2struct", "heim"):
        board = catalogue.leaderboards[name]
        assert catalogue.gpu_flavour(board).environment == board.environment


def test_an_environment_may_have_none(catalogue: Catalogue) -> None:
    without = catalogue.environments["helm-0.5.16"].model_copy(update={"gpu": None})
    changed = dataclasses.replace(catalogue, environments={**catalogue.environments, "helm-0.5.16": without})
    with pytest.raises(ConfigurationError, match=r"^--gpu: lite has no gpu flavour: images/helm-0\.5\.16/environment"):
        changed.gpu_flavour(catalogue.leaderboards["lite"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("helm-0.5.99", "'helm-0.5.99' is not a folder of images/"),
        ("helm-0.5.16-cleva", "'helm-0.5.16-cleva' has no PyTorch"),
        ("helm-0.5.15-gpu", "'helm-0.5.15-gpu' has HELM 0.5.15, not 0.5.16"),
    ],
)
def test_a_wrong_one_is_found_when_the_catalogue_is_read(tmp_path: Path, value: str, message: str) -> None:
    root = _copy(tmp_path)
    path = root / "images" / "helm-0.5.16" / "environment.yaml"
    path.write_text(path.read_text().replace("gpu: helm-0.5.16-gpu", f"gpu: {value}"))
    with pytest.raises(ConfigurationError, match=r"environment\.yaml: gpu: ") as raised:
        load_catalogue(root)
    assert message in str(raised.value)


def test_a_leaderboards_file_does_not_choose_it(tmp_path: Path) -> None:
    root = _copy(tmp_path)
    path = root / "leaderboards" / "smoke" / "leaderboard.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "flavour": "gpu"}))
    with pytest.raises(ConfigurationError, match=r"smoke/leaderboard\.yaml: flavour: is not for this file"):
        load_catalogue(root)


def _copy(folder: Path) -> Path:
    for name in ("leaderboards", "images"):
        shutil.copytree(ROOT / name, folder / name)
    return folder
