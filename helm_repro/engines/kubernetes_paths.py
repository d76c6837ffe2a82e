"""Paths of the submitting machine have no meaning in a pod: they are refused before anything is submitted.

A path that is not here may be one of the image or of the volume, so it is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from helm_repro.engines.paths import KEY_FILE, is_here, is_in_image, path_variables
from helm_repro.errors import ConfigurationError


def refuse_host_paths(variables: Mapping[str, str], data_variables: Collection[str] = ()) -> None:
    """Raise ConfigurationError for a variable that names a file of this machine.

    Args:
        data_variables: the leaderboard's, which name folders.
    """
    # What a pod gets in place of a key's file is in the cluster's Secret, whatever is set here.
    names = {*path_variables(variables, data_variables)} - {KEY_FILE}
    for name, value in variables.items():
        if (name in names or name.endswith("_FILE")) and is_here(value) and not is_in_image(value):
            raise ConfigurationError(
                f"{name}={value}: is a path of this machine, which pods do not see; put it on the volume and give its "
                "path there (below /data), or into an image (`helm-repro new` for entries and a schema)"
            )
