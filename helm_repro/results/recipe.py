"""Do two run specs ask the same of a model? Differences, field by field.

The problem: files of different HELM releases are never equal byte by byte, because
the classes grew. Of 295 published run specs none matched a local one raw, 128 did
once the grown fields were filled in (see the README's sources).

Invariants: a field is forgiven only by a row of a table below, with its reason; every
other difference is named with both values. What was *added* to metrics or groups is growth;
what is missing from ours, or has other arguments, is a difference.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

Kind = Literal["prompt", "decoding", "limits", "scenario", "perturbations", "metrics", "judges", "deployment"]

# Defaults of fields that AdapterSpec did not always have: absent means the default, because HELM
# behaved like that before the field existed (helm/benchmark/adaptation/adapter_spec.py).
GROWN_ADAPTER_FIELDS: dict[str, tuple[Any, str]] = {
    "multi_label": (False, "since HELM 0.2.4"),
    "global_suffix": ("", "since HELM 0.4.0"),
    "num_trials": (1, "since HELM 0.5.0"),
    "chain_of_thought_prefix": ("", "since HELM 0.5.5"),
    "chain_of_thought_suffix": ("\n", "since HELM 0.5.5; used only by the chain-of-thought method"),
}
# Optional fields that came later (eval_splits, reeval_parameters, reference_prefix_characters, …) are
# written only if set: absent and null are the same everywhere.

_KINDS: dict[str, Kind] = {
    "max_eval_instances": "limits",
    "num_train_trials": "limits",
    "num_trials": "limits",
    "temperature": "decoding",
    "max_tokens": "decoding",
    "stop_sequences": "decoding",
    "num_outputs": "decoding",
    "random": "decoding",
    "image_generation_parameters": "decoding",
    "model_deployment": "deployment",
}
# The model itself is what the caller matched runs by.
_NOT_COMPARED = ("model",)

# HELM 0.5.0 split one metric class into three that together compute the same statistics.
_SPLIT_METRICS = {"BasicMetric": ("BasicGenerationMetric", "BasicReferenceMetric", "InstancesPerSplitMetric")}


@dataclasses.dataclass(frozen=True)
class Difference:
    """One field that differs; ``None`` stands for a field that is not there."""

    kind: Kind
    field: str
    ours: Any
    published: Any

    def describe(self) -> str:
        """One line."""
        return f"{self.field}: ours {_short(self.ours)}, published {_short(self.published)}"


def differences(ours: Mapping[str, Any], published: Mapping[str, Any]) -> list[Difference]:
    """Every difference between two run specs that is not a mere growth of HELM's classes."""
    return [
        *_scenario(ours.get("scenario_spec") or {}, published.get("scenario_spec") or {}),
        *_adapter(ours["adapter_spec"], published["adapter_spec"]),
        *_perturbations(ours.get("data_augmenter_spec") or {}, published.get("data_augmenter_spec") or {}),
        *_objects("metrics", ours.get("metric_specs"), published.get("metric_specs")),
        *_objects("judges", ours.get("annotators"), published.get("annotators")),
    ]


def _scenario(ours: Mapping[str, Any], published: Mapping[str, Any]) -> Iterator[Difference]:
    left, right = _class(ours), _class(published)
    if left != right:
        yield Difference("scenario", "scenario_spec.class_name", left, right)
    yield from _mapping("scenario", "scenario_spec.args", ours.get("args") or {}, published.get("args") or {})


def _adapter(ours: Mapping[str, Any], published: Mapping[str, Any]) -> Iterator[Difference]:
    left, right = dict(ours), dict(published)
    for name, (default, _) in GROWN_ADAPTER_FIELDS.items():
        left.setdefault(name, default)
        right.setdefault(name, default)
    # Absent before HELM 0.4.0, when a model had one deployment.
    if not left.get("model_deployment") or not right.get("model_deployment"):
        left.pop("model_deployment", None)
        right.pop("model_deployment", None)
    for name in dict.fromkeys((*left, *right)):
        if name not in _NOT_COMPARED and left.get(name) != right.get(name):
            yield Difference(_KINDS.get(name, "prompt"), f"adapter_spec.{name}", left.get(name), right.get(name))


def _perturbations(ours: Mapping[str, Any], published: Mapping[str, Any]) -> Iterator[Difference]:
    # The switches of an augmenter without perturbations have no effect.
    if ours.get("perturbation_specs") or published.get("perturbation_specs"):
        yield from _mapping("perturbations", "data_augmenter_spec", ours, published)


def _objects(kind: Kind, ours: Any, published: Any) -> Iterator[Difference]:
    left, right = _by_class(ours or []), _by_class(published or [])
    for name, there in right.items():
        here = left.get(name)
        if here is None:
            replaced = _SPLIT_METRICS.get(name)
            if not (replaced and all(part in left for part in replaced)):
                yield Difference(kind, f"{kind}.{name}", None, there or "present")
            continue
        for argument in dict.fromkeys((*here, *there)):
            if not _covers(here.get(argument), there.get(argument)):
                yield Difference(kind, f"{kind}.{name}.{argument}", here.get(argument), there.get(argument))
    if kind == "judges":
        # A further metric is growth; a further judge changes the score that is averaged over judges.
        for name in left.keys() - right.keys():
            yield Difference(kind, f"{kind}.{name}", left[name] or "present", None)


def _covers(ours: Any, published: Any) -> bool:
    """Equal, or a list of names to which newer HELM only added some."""
    if isinstance(ours, list) and isinstance(published, list):
        return all(item in ours for item in published)
    return bool(ours == published)


def _mapping(kind: Kind, where: str, ours: Mapping[str, Any], published: Mapping[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys((*ours, *published)):
        if ours.get(name) != published.get(name):
            yield Difference(kind, f"{where}.{name}", ours.get(name), published.get(name))


def _by_class(specs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for spec in specs:
        arguments = found.setdefault(_class(spec), {})
        for name, value in (spec.get("args") or {}).items():
            if isinstance(value, list) and isinstance(arguments.get(name), list):
                value = [*arguments[name], *value]
            arguments[name] = value
    return found


def _class(spec: Mapping[str, Any]) -> str:
    # Modules moved between releases, class names did not.
    return str(spec.get("class_name", "")).rpartition(".")[2]


def _short(value: Any) -> str:
    if value is None:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:80]}…{text[-30:]}"
