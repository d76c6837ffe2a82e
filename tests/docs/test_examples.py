"""The model in a page's example is one that the leaderboard's entries are made for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from helm_repro.catalogue import Catalogue
from helm_repro.inside.plan.entry import Entry
from helm_repro.inside.plan.make import _GROUP_TAGS
from tests.conftest import ROOT

# Leaderboards whose entries name no group, or a wrong one, and what a model needs there all the same.
TAGS = {"slphelm": {"AUDIO_LANGUAGE_MODEL_TAG"}}
GROUPS_OF_MEDIA = {"text_to_image", "vlm", "audiolm"}


@pytest.fixture(scope="module")
def tags(helm_python: Path) -> dict[str, set[str]]:
    """HELM's tags of each model that it knows."""
    command = [str(helm_python), "-c", "import helm, os; print(os.path.dirname(helm.__file__))"]
    folder = Path(subprocess.check_output(command, text=True).strip())
    models = yaml.safe_load((folder / "config/model_metadata.yaml").read_bytes())["models"]
    return {model["name"]: set(model["tags"]) for model in models}


@pytest.mark.helm
def test_example_models_fit_their_leaderboards(catalogue: Catalogue, tags: dict[str, set[str]]) -> None:
    for board in catalogue.leaderboards.values():
        groups = {Entry(entry.description).model for entry in catalogue.entries(board)} & GROUPS_OF_MEDIA
        needed = TAGS.get(board.id, set()).union(*(_GROUP_TAGS[group] for group in groups))
        assert needed <= tags[board.example_model], board.id


def test_pages_show_the_example_model(catalogue: Catalogue) -> None:
    for board in catalogue.leaderboards.values():
        page = (ROOT / f"docs/leaderboards/{board.id}.md").read_text()
        assert f"make run LEADERBOARD={board.id} MODELS_TO_RUN={board.example_model}" in page
