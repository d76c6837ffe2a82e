"""Hosted models that are newer than HELM, which is frozen: ``MODELS_TO_RUN=openai/…`` of tomorrow.

HELM makes a deployment for any name that begins with a provider it knows
(``model_deployment_generator``, helm/benchmark/model_deployments/, 0.5.15 and 0.5.16), but it has no metadata of
such a model, and entries that ask for a tag of it cannot be constructed (half of Lite's). So metadata
is registered here as for a model of the user's own: a chat model that follows instructions, which is
what providers serve. A name that is only misspelled is found by preflight's request.
"""

from __future__ import annotations

import difflib
import re
from typing import Optional

from helm_repro.inside.deployments.registration import (
    DEPLOYMENTS,
    METADATA,
    Model,
    builtin_names,
    helm_folder,
    unknown_metadata,
)

_PROVIDER = re.compile(r"^@model_deployment_generator\(\s*[\"']([^\"'/]+)", re.MULTILINE)
# Its weights run in the container (see ``huggingface``).
_ELSEWHERE = {"huggingface"}


def model(name: str) -> Optional[Model]:
    """What to register for this model; ``None`` if HELM knows it, or has no way to reach it."""
    provider, _, rest = name.partition("/")
    # As HELM's generators and its ModelRunExpander take it: litellm/openai/x is a way to openai/x.
    of = "/".join(name.split("/")[-2:])
    known = builtin_names(METADATA)
    # The name of a deployment is one of its model's (see ``plan``), not a newer model.
    if not rest or {of, name} & known or name in builtin_names(DEPLOYMENTS) or provider not in _providers():
        return None
    similar = difflib.get_close_matches(of, known, 1, 0.8)
    return Model(
        name=name,
        deployment={},
        facts={
            "variable": "MODELS_TO_RUN",
            "source": name,
            "known_to_helm": False,
            "full_functionality": False,
            "instruction_following": True,
            **({"similar": similar[0]} if similar else {}),
        },
        metadata=unknown_metadata(of, of, "limited", full_functionality=False, instruction_following=True),
    )


def _providers() -> set[str]:
    """Providers of whose models the installed HELM makes deployments by name; none where HELM is not installed."""
    helm = helm_folder()
    # HELM 0.5.6 has no such folder.
    files = helm.glob("benchmark/model_deployments/*.py") if helm else ()
    return {name for file in files for name in _PROVIDER.findall(file.read_text(encoding="utf-8"))} - _ELSEWHERE
