"""What both engines do with the output folder before they start anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.engines.request import RunRequest
from helm_repro.errors import ConfigurationError


def test_an_output_folder_that_cannot_be_made_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    request = RunRequest(catalogue, catalogue.leaderboards["smoke"], (), {}, tmp_path / "file")
    with pytest.raises(ConfigurationError, match=r"--output .*/file: cannot be made \(File exists\)$"):
        request.make_output()
