"""Variables that name files and folders of this machine, and where a container finds those."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from helm_repro.network import CERTIFICATES

# A task may start in another folder than the one that was submitted from.
PATH_VARIABLES = ("RUN_ENTRIES_CONF_PATH", "SCHEMA_PATH", "LOCAL_MODEL_PATH")
KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_NAME_OR_PATH = "MODEL_TOKENIZER"
# The volume, and what our image holds of its own.
_OURS = ("/data", "/opt/helm", "/opt/helm-repro")
# Debian's certificates are here and there.
_IN_IMAGE = (*_OURS, "/etc/ssl")


def path_variables(variables: Mapping[str, str], data_variables: Iterable[str]) -> list[str]:
    """Those of the variables that name a path; ``data_variables`` are the leaderboard's for gated data."""
    names = [*PATH_VARIABLES, KEY_FILE, *CERTIFICATES, *data_variables]
    # A tokenizer is a folder only if it looks like one (inside/deployments/endpoint.py); "org/name" is a repository.
    if PurePosixPath(variables.get(_NAME_OR_PATH, "")).is_absolute():
        names.append(_NAME_OR_PATH)
    return [name for name in dict.fromkeys(names) if variables.get(name)]


def is_here(path: str) -> bool:
    """Whether this machine has such a file or folder."""
    # Path.exists raises where a folder may not be searched, and for a key's text in place of its file.
    return os.path.exists(path)  # noqa: PTH110


def is_in_image(path: str) -> bool:
    """Whether a path is below what every container of ours has."""
    return _is_below(_IN_IMAGE, path)


def _is_below(places: Iterable[str], path: str) -> bool:
    normal = PurePosixPath(os.path.normpath(path))
    return any(normal.is_relative_to(place) for place in places)


def with_absolute_paths(variables: Mapping[str, str], data_variables: Iterable[str] = ()) -> dict[str, str]:
    """Files that are here become absolute paths; other names are files of the leaderboard."""
    made = dict(variables)
    for name in path_variables(variables, data_variables):
        if is_here(made[name]):
            made[name] = str(Path(made[name]).absolute())
    return made


def in_container(
    variables: Mapping[str, str],
    data_variables: Iterable[str],
    output: Path,
    is_there: Callable[[str], bool] = is_here,
    keep: bool = False,
) -> tuple[dict[str, str], dict[str, str]]:
    """Variables as they name paths in a container, and what to mount: path outside -> path inside.

    Args:
        output: folder that becomes /data, the only one that is written to.
        is_there: whether the machine that starts the container has a path.
        keep: paths stay as they are where they hide nothing of the container's.
    """
    changed, binds = dict(variables), {str(output.absolute()): "/data"}
    for name in path_variables(variables, data_variables):
        if is_there(variables[name]):
            outside, below = _complete(Path(variables[name]).absolute())
            free = keep and not _is_below(_OURS, str(outside))
            # Two variables may name one folder, and a folder is mounted once.
            inside = binds.setdefault(str(outside), str(outside) if free else f"/inputs/{name.lower()}/{outside.name}")
            changed[name] = str(PurePosixPath(inside, below))
    return changed, binds


def _complete(path: Path) -> tuple[Path, Path]:
    """The folder that holds all of a path, and the path below it.

    A snapshot in Hugging Face's cache holds nothing but links to ``blobs`` beside the snapshots.
    """
    for place in (path, path.resolve()):
        for parent in place.parents:
            if parent.name == "snapshots" and is_here(str(parent.parent / "blobs")):
                return parent.parent, place.relative_to(parent.parent)
    return path, Path()
