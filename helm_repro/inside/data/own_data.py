"""Data that only the user has: gated and private sets whose entries name a path of HELM's authors.

MedHELM's gated and private entries hold absolute paths at Stanford (``data_path=/share/pi/…``).
The catalogue says which variable names the user's copy of each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helm_repro.inside.errors import VariableError


def data_paths(leaderboard: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """``data_path`` as in the entries -> the user's copy, for every variable that is set.

    Raises:
        VariableError: there is nothing at the path, or HELM's entries could not hold it.
    """
    found = {}
    for dataset in leaderboard.get("gated_datasets", []):
        name = dataset.get("variable")
        given = environ.get(name, "").strip() if name and dataset["data_paths"] else ""
        if not given:
            continue
        if "," in given:
            raise VariableError(name, given, "must not hold a comma, which HELM's run entries cannot express")
        for theirs, below in dataset["data_paths"].items():
            path = Path(given, below)
            if not path.exists():
                raise VariableError(name, given, f"{path} does not exist; {dataset['name']} is read from there")
            # Some scenarios append a file's name as text.
            found[theirs] = str(path.absolute()) + ("/" if theirs.endswith("/") else "")
    return found
