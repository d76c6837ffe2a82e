"""Which published run is the counterpart of ours.

Run names hold their arguments, the model among them, in an order that changed over
time. A run is found by its name with the model set aside and its arguments sorted;
failing that, by scenario and arguments if only one candidate is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

_MODEL_ARGUMENTS = ("model", "model_deployment")


def run_key(name: str) -> str:
    """A run's name without its model, arguments sorted."""
    function, _, arguments = name.partition(":")
    kept = [item for item in arguments.split(",") if item.partition("=")[0] not in _MODEL_ARGUMENTS and item]
    return ":".join([function, ",".join(sorted(kept))])


def model_in(name: str) -> Optional[str]:
    """The model argument of a run's name, with ``_`` for ``/`` as HELM writes it."""
    for item in name.partition(":")[2].split(","):
        key, _, value = item.partition("=")
        if key == "model":
            return value
    return None


def runs_of(names: Iterable[str], model: str) -> dict[str, str]:
    """Run key -> run name, for the runs of one model."""
    spelled = model.replace("/", "_")
    return {run_key(name): name for name in names if model_in(name) == spelled}


def models_of(names: Iterable[str]) -> list[str]:
    """Every model that occurs, as run names spell it, sorted."""
    return sorted({model for model in map(model_in, names) if model})


def counterparts(ours: Iterable[str], published: Mapping[str, str]) -> dict[str, Optional[str]]:
    """Our run names -> published run name, ``None`` where there is none.

    Args:
        published: run key -> run name, of the model to compare with.
    """
    found: dict[str, Optional[str]] = {name: published.get(run_key(name)) for name in ours}
    taken = {name for name in found.values() if name}
    for name in [name for name, match in found.items() if match is None]:
        wanted = _essence(name)
        near = [other for other in published.values() if other not in taken and _essence(other) == wanted]
        rivals = [other for other, match in found.items() if match is None and _essence(other) == wanted]
        if len(near) == 1 and len(rivals) == 1:
            found[name] = near[0]
            taken.add(near[0])
    return found


# Arguments that tell how a run was made rather than which run it is.
_STYLE_ARGUMENTS = ("stop", "groups", "data_augmentation", "num_outputs", "follow_format_instructions", "prompt")


def _essence(name: str) -> str:
    function, _, arguments = run_key(name).partition(":")
    kept = [item for item in arguments.split(",") if item and item.partition("=")[0] not in _STYLE_ARGUMENTS]
    return ":".join([function, ",".join(kept)])
