"""Which instances a run used, by identifier and by digest of what was asked.

Identifiers are positions in the data set (``id123``), so a changed data set keeps its
identifiers and a reordered one keeps its texts: both are compared. The digest covers
input, references with their tags, and the split; not file paths, which differ by machine.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Optional

from helm_repro.results.layout import RunFiles
from helm_repro.results.store import NotPublished

# (digest, perturbation, how many of the same digest came before)
Key = tuple[str, str, int]


@dataclasses.dataclass(frozen=True)
class Asked:
    """One instance as it was used."""

    identifier: str
    perturbation: str
    split: str
    digest: str


@dataclasses.dataclass(frozen=True)
class InstanceSet:
    """All evaluation instances of one run."""

    asked: tuple[Asked, ...]

    def by_key(self) -> dict[Key, Asked]:
        """Instances under keys by which two runs' are paired; equal texts are told apart by order of identifier."""
        seen: collections.Counter[tuple[str, str]] = collections.Counter()
        keyed: dict[Key, Asked] = {}
        for item in sorted(self.asked, key=lambda item: _natural(item.identifier)):
            pair = (item.digest, item.perturbation)
            keyed[(*pair, seen[pair])] = item
            seen[pair] += 1
        return keyed


@dataclasses.dataclass(frozen=True)
class InstanceCheck:
    """How two runs' instances relate; counts are of instances (perturbed ones count each)."""

    ours: int
    published: int
    common: int
    renumbered: int
    examples: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        return self.common == self.ours == self.published

    @property
    def subset(self) -> bool:
        """Ours are some of those published."""
        return self.common == self.ours < self.published

    def describe(self) -> str:
        """One line."""
        if self.same:
            moved = f", {self.renumbered} under another id" if self.renumbered else ""
            return f"{self.ours} instances, the same{moved}"
        shown = f" (first: {', '.join(self.examples)})" if self.examples else ""
        return f"{self.common} instances in common of {self.ours} ours and {self.published} published{shown}"


def read_instances(run: RunFiles) -> Optional[InstanceSet]:
    """Instances of a run, from the small ``instances.json`` or else from ``scenario_state.json``.

    Returns:
        ``None`` where neither is published.

    Raises:
        PublishedError: a file is not whole.
    """
    try:
        raw: Iterable[Mapping[str, Any]] = run.json("instances.json")
    except NotPublished:
        try:
            raw = [state["instance"] for state in run.json("scenario_state.json")["request_states"]]
        except NotPublished:
            return None
    found: dict[tuple[str, str], Asked] = {}
    for instance in raw:
        item = asked(instance)
        # A multiple-choice instance has a request for each reference, and trials repeat it.
        found.setdefault((item.identifier, item.perturbation), item)
    return InstanceSet(tuple(found.values()))


def asked(instance: Mapping[str, Any]) -> Asked:
    """One of HELM's instances, of any version."""
    return Asked(
        identifier=str(instance.get("id")),
        perturbation=perturbation_label(instance.get("perturbation")),
        split=str(instance.get("split") or ""),
        digest=digest(instance),
    )


def compare_instances(ours: InstanceSet, published: InstanceSet) -> InstanceCheck:
    """Pair two runs' instances by what was asked."""
    left, right = ours.by_key(), published.by_key()
    common = left.keys() & right.keys()
    alone = [f"{left[key].identifier} only ours" for key in left if key not in right]
    alone += [f"{right[key].identifier} only published" for key in right if key not in left]
    return InstanceCheck(
        ours=len(left),
        published=len(right),
        common=len(common),
        renumbered=sum(left[key].identifier != right[key].identifier for key in common),
        examples=tuple(sorted(alone, key=_natural)[:3]),
    )


def digest(instance: Mapping[str, Any]) -> str:
    """SHA-256 of what is asked and what counts as an answer."""
    content = {
        "input": _content(instance.get("input")),
        "references": [
            [_content(reference.get("output")), sorted(reference.get("tags") or [])]
            for reference in instance.get("references") or []
        ],
        "split": instance.get("split"),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def perturbation_label(perturbation: Optional[Mapping[str, Any]]) -> str:
    """Stable text of a perturbation; empty for none."""
    return "" if perturbation is None else json.dumps(perturbation, sort_keys=True)


def _content(value: Any) -> Any:
    # HELM 0.1 had plain strings where later versions have {"text": …}.
    if isinstance(value, str) or value is None:
        return value or ""
    media = (value.get("multimedia_content") or {}).get("media_objects") or []
    if not media and not value.get("messages"):
        return value.get("text", "")
    return [value.get("text", ""), [_medium(item) for item in media], value.get("messages") or []]


def _medium(item: Mapping[str, Any]) -> list[Any]:
    location = item.get("location")
    return [item.get("content_type"), item.get("text"), location and PurePosixPath(location).name]


def _natural(identifier: str) -> tuple[int, str]:
    digits = "".join(character for character in identifier.split(" ")[0] if character.isdigit())
    return (int(digits) if digits else -1, identifier)
