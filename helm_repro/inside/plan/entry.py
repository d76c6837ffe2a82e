"""A run entry as text: ``name:key=value,…`` and what we do to it before HELM reads it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional


@dataclasses.dataclass(frozen=True)
class Entry:
    """``description``, ``priority`` and ``groups`` as in HELM's RunEntry (presentation/run_entry.py)."""

    description: str
    priority: Optional[int] = None
    groups: Optional[Sequence[str]] = None

    @property
    def function(self) -> str:
        """Name of the run spec function."""
        return self.description.partition(":")[0]

    @property
    def arguments(self) -> dict[str, str]:
        """Arguments in order, as HELM's ``parse_object_spec`` splits them."""
        text = self.description.partition(":")[2]
        return dict(argument.split("=", 1) for argument in text.split(",")) if text else {}

    @property
    def model(self) -> Optional[str]:
        return self.arguments.get("model")

    @property
    def deployment(self) -> Optional[str]:
        return self.arguments.get("model_deployment")

    def with_model(self, model: str) -> Entry:
        """Spell the model out where the entry names none or a group of models.

        The argument keeps its place, or comes last, as in HELM's own replacement:
        the order of arguments decides the run's name.
        """
        if self.model and "/" in self.model:
            return self
        return self._with_arguments({**self.arguments, "model": model})

    def with_groups(self, entry_groups: Mapping[str, Sequence[str]]) -> Entry:
        """Add the groups that the catalogue declares for this entry's run spec function."""
        added = entry_groups.get(self.function)
        if not added:
            return self
        return dataclasses.replace(self, groups=[*(self.groups or []), *added])

    def with_data_path(self, data_paths: Mapping[str, str]) -> Entry:
        """Read the user's own copy where the entry names a folder that only its author has."""
        path = data_paths.get(self.arguments.get("data_path", ""))
        return self._with_arguments({**self.arguments, "data_path": path}) if path else self

    def without_model(self) -> Entry:
        """Remove the model and the deployment."""
        return self._with_arguments(
            {key: value for key, value in self.arguments.items() if key not in ("model", "model_deployment")}
        )

    def _with_arguments(self, arguments: Mapping[str, str]) -> Entry:
        text = ",".join(f"{key}={value}" for key, value in arguments.items())
        return dataclasses.replace(self, description=f"{self.function}:{text}" if text else self.function)


def rewrite_for_any_model(entries: Sequence[Entry], rule: Mapping[str, Any], reasons: bool) -> list[Entry]:
    """Derive the entries for any model from a conf whose entries are all for fixed ones.

    MedHELM's confs name 13 models on a private deployment, so any other model gives
    zero run specs and exit code 0. The entries of one of the 13 are the pattern: of
    ``base``, or of ``reasoning_base`` for a model that reasons before it answers
    (those have room for 4000 tokens).
    """
    pattern = rule["reasoning_base"] if reasons and rule.get("reasoning_base") else rule["base"]
    return [entry.without_model() for entry in entries if entry.model == pattern]


def is_reasoning(model: str, rule: Mapping[str, Any], named: Optional[Sequence[str]]) -> bool:
    """Whether the rule takes ``model`` for one that reasons: ``named`` decides, else the catalogue's expressions."""
    if named is not None:
        return model in named
    return any(re.search(pattern, model) for pattern in rule.get("reasoning_models", []))
