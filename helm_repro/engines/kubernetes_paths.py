"""Paths of the submitting machine have no meaning in a pod: they are refused before anything is submitted.

A path that is not here may be one of the image or of the volume, so it is passed on as it is.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import PurePosixPath

from helm_repro.engines.submission import PATH_VARIABLES
from helm_repro.errors import ConfigurationError

# The volume, what our image holds of its own, and Debian's certificates, which are here and there.
_IN_POD = ("/data", "/opt/helm", "/opt/helm-repro", "/etc/ssl")


def refuse_host_paths(variables: Mapping[str, str]) -> None:
    """Raise ConfigurationError for a variable that names a file of this machine."""
    for name, value in variables.items():
        if _names_a_file(name, value) and _is_only_here(value):
            raise ConfigurationError(
                f"{name}={value}: is a path of this machine, which pods do not see; put it on the volume and give its "
                "path there (below /data), or into an image (`helm-repro new` for entries and a schema)"
            )


def _names_a_file(name: str, value: str) -> bool:
    # A tokenizer is a folder only if it looks like one (inside/deployments/endpoint.py); "org/name" is a repository.
    return (
        name in PATH_VARIABLES
        or name.endswith("_FILE")
        or (name == "MODEL_TOKENIZER" and PurePosixPath(value).is_absolute())
    )


def _is_only_here(value: str) -> bool:
    # Path.exists raises where a folder may not be searched.
    path = PurePosixPath(os.path.normpath(value))
    return os.path.exists(value) and not any(path.is_relative_to(place) for place in _IN_POD)  # noqa: PTH110
