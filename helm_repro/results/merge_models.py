"""Models of one's own in a merge: what the parts know of them (see ``registration``) is one registration afterwards.

Invariants: a model that two parts reached in different ways is refused, as one suite refuses it; where they
agree, the target's record stands; files of the user's own are compared and never copied, because a file in
``prod_env`` counts for every suite there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from helm_repro.errors import ConfigurationError
from helm_repro.inside.deployments import registration
from helm_repro.inside.errors import InsideError

# What may differ between parts: no answer depends on it.
_NO_MATTER = ("key", "api_key", "timeout")
# Nor on these where MODEL_ENDPOINT_ID stands for the server; otherwise the deployment's name differs with them.
_ADDRESS = ("source", "base_url")


def join_models(suites: Sequence[Path], models: Collection[str]) -> list[registration.Model]:
    """The models registered in any of the suite folders, each as the first of them has it.

    Args:
        suites: the target first; it need not exist.
        models: all models of the suites, whoever registered them.

    Raises:
        ConfigurationError: two suites reached a model in different ways, or a file of the user's is wrong.
    """
    try:
        _refuse_different_files(suites, models)
        joined = _joined_records(suites)
    except InsideError as error:
        raise ConfigurationError(str(error)) from error
    for first, model in joined.values():
        for suite in suites:
            if other := registration.other_deployment(model, suite):
                raise ConfigurationError(
                    f"{suite}: holds runs of {model.name} by {other}, but it is {_deployment(model)} in {first}"
                )
    return [model for _, model in joined.values()]


def register_joined(models: Sequence[registration.Model], target: Path) -> None:
    """Write them as the registration of the suite folder ``target``.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if not models:
        return
    try:
        registration.register(models, _prod_env(target), target.name, target)
    except (InsideError, OSError) as error:
        raise ConfigurationError(f"{_prod_env(target)}: cannot register the models ({error})") from error


def files_left(parts: Sequence[Path], target: Path) -> list[Path]:
    """Registration files of the user's own in the parts that the target has not, or has otherwise."""
    left = []
    for part in parts:
        for file in registration.FILES:
            path, there = _prod_env(part) / file, _prod_env(target) / file
            if path.is_file() and not (there.is_file() and there.read_bytes() == path.read_bytes()):
                left.append(path)
    return left


def _joined_records(suites: Iterable[Path]) -> dict[str, tuple[Path, registration.Model]]:
    """By the model's name, with the suite that it is from."""
    joined: dict[str, tuple[Path, registration.Model]] = {}
    for suite in suites:
        for name, record in registration.registered_models(_prod_env(suite), suite.name).items():
            model = registration.Model(**record)
            first, there = joined.setdefault(name, (suite, model))
            if found := _difference(there, model):
                field, one, two = found
                raise ConfigurationError(f"{suite}: {name}: {field} is {two}, but {one} in {first}")
    return joined


def _refuse_different_files(suites: Iterable[Path], models: Collection[str]) -> None:
    """Refuse deployments of the user's own files that have one name and say different things."""
    seen: dict[str, tuple[Path, dict[str, Any]]] = {}
    for suite in suites:
        path = _prod_env(suite) / registration.DEPLOYMENTS
        for entry in registration.read_entries(path):
            name = entry["name"]
            if entry.get("model_name", name) not in models:
                continue
            first, there = seen.setdefault(name, (path, entry))
            for field, one, two in _differing(there, entry, _NO_MATTER):
                raise ConfigurationError(f"{path}: {name}: {field} is {two}, but {one} in {first}")


def _difference(one: registration.Model, two: registration.Model) -> Optional[tuple[str, Any, Any]]:
    """The field that says best how two records of a model differ; ``None`` where HELM is told the same."""
    ignored = (*_NO_MATTER, *_ADDRESS) if _deployment(one) == _deployment(two) else _NO_MATTER
    told = [
        found
        for first, second in (
            (one.metadata, two.metadata),
            (one.deployment, two.deployment),
            (one.tokenizer, two.tokenizer),
        )
        for found in _differing(first, second, ignored)
    ]
    # The facts are in the user's own words, but they alone are no reason.
    return next(iter([*_differing(one.facts, two.facts, ignored), *told])) if told else None


def _differing(
    one: Optional[Mapping[str, Any]], two: Optional[Mapping[str, Any]], ignored: Collection[str]
) -> Iterator[tuple[str, Any, Any]]:
    """``(field, one's, two's)`` for each field that differs, also of mappings within."""
    one, two = one or {}, two or {}
    for field in dict.fromkeys([*one, *two]):
        first, second = one.get(field), two.get(field)
        if field in ignored or first == second:
            continue
        if isinstance(first, dict) and isinstance(second, dict):
            yield from _differing(first, second, ignored)
        else:
            yield field, first, second


def _deployment(model: registration.Model) -> str:
    return str(model.deployment.get("name", model.name))


def _prod_env(suite: Path) -> Path:
    """Of the output folder that holds ``benchmark_output/runs/<suite>``."""
    return suite.parents[2] / "prod_env"
