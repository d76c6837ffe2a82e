"""Read and check ``leaderboards/`` and ``images/``.

Errors name the file, the field, the value and what is allowed; one line for each
problem, all of them at once.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from helm_repro.catalogue.inheritance import inherit
from helm_repro.catalogue.models import Environment, Leaderboard
from helm_repro.catalogue.notation import Entries, RunEntry
from helm_repro.errors import ConfigurationError

HOME_VARIABLE = "HELM_REPRO_HOME"
_Model = TypeVar("_Model", bound=BaseModel)


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """All leaderboards and environments, by id, in alphabetical order with ``smoke`` first."""

    root: Path
    leaderboards: dict[str, Leaderboard]
    environments: dict[str, Environment]

    def leaderboard(self, identifier: str) -> Leaderboard:
        """Look one up.

        Raises:
            ConfigurationError: there is none of that name.
        """
        try:
            return self.leaderboards[identifier]
        except KeyError:
            known = ", ".join(self.leaderboards)
            raise ConfigurationError(f"LEADERBOARD={identifier}: unknown leaderboard, allowed: {known}") from None

    def environment_of(self, leaderboard: Leaderboard) -> Environment:
        return self.environments[leaderboard.environment]

    def gpu_flavour(self, leaderboard: Leaderboard) -> Leaderboard:
        """The same leaderboard in an environment whose PyTorch runs models on a GPU.

        Raises:
            ConfigurationError: its environment has none.
        """
        environment = self.environment_of(leaderboard)
        found = environment.id if environment.torch else environment.gpu
        if found is None:
            raise ConfigurationError(
                f"--gpu: {leaderboard.id} has no gpu flavour: images/{environment.id}/environment.yaml says neither "
                "torch: true nor gpu: ENVIRONMENT"
            )
        return leaderboard.model_copy(update={"environment": found, "flavour": "gpu"})

    def folder(self, leaderboard: Leaderboard) -> Path:
        return self.root / "leaderboards" / leaderboard.id

    def entries(self, leaderboard: Leaderboard) -> list[RunEntry]:
        """The leaderboard's run entries in file order."""
        return _read(self.folder(leaderboard) / "entries.yaml", Entries).expand()


def find_root() -> Path:
    """The folder that holds ``leaderboards/``: HELM_REPRO_HOME, or the checkout this package lies in."""
    given = os.environ.get(HOME_VARIABLE)
    root = Path(given) if given else Path(__file__).parents[2]
    if not (root / "leaderboards").is_dir():
        raise ConfigurationError(f"{HOME_VARIABLE}={given or ''}: {root} holds no leaderboards/ folder")
    return root


@functools.cache
def load_catalogue(root: Optional[Path] = None) -> Catalogue:
    """Read the whole catalogue.

    Raises:
        ConfigurationError: with one line per problem found.
    """
    root = root or find_root()
    problems: list[str] = []
    leaderboards = _read_all(root, "leaderboards", "leaderboard.yaml", Leaderboard, problems)
    environments = _read_all(root, "images", "environment.yaml", Environment, problems, inherit)
    for leaderboard in leaderboards.values():
        if leaderboard.environment not in environments:
            problems.append(
                f"leaderboards/{leaderboard.id}/leaderboard.yaml: environment: {leaderboard.environment!r} "
                f"is not a folder of images/, allowed: {', '.join(environments)}"
            )
        if leaderboard.flavour:
            problems.append(f"leaderboards/{leaderboard.id}/leaderboard.yaml: flavour: is not for this file")
    problems += _wrong_gpu_environments(environments)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Catalogue(root, leaderboards, environments)


def _wrong_gpu_environments(environments: Mapping[str, Environment]) -> Iterator[str]:
    for environment in environments.values():
        if environment.gpu is None or environment.torch:
            continue
        where = f"images/{environment.id}/environment.yaml: gpu: {environment.gpu!r}"
        other = environments.get(environment.gpu)
        if other is None:
            yield f"{where} is not a folder of images/, allowed: {', '.join(environments)}"
        elif not other.torch:
            yield f"{where} has no PyTorch (torch: true)"
        elif other.helm_commit != environment.helm_commit:
            yield f"{where} has HELM {other.helm_version}, not {environment.helm_version}"


def _read_all(
    root: Path,
    folder: str,
    file_name: str,
    model: type[_Model],
    problems: list[str],
    prepare: Callable[[Path, Any], Any] = lambda path, raw: raw,
) -> dict[str, _Model]:
    found: dict[str, _Model] = {}
    for path in sorted(root.glob(f"{folder}/*/{file_name}"), key=lambda path: (path.parent.name != "smoke", path)):
        try:
            record = _read(path, model, prepare)
        except ConfigurationError as error:
            problems.append(str(error))
            continue
        identifier = getattr(record, "id")  # noqa: B009 - both models have it, their common base has not
        if identifier != path.parent.name:
            problems.append(f"{path}: id: {identifier!r} must be the folder's name, {path.parent.name!r}")
        found[identifier] = record
    return found


def _read(path: Path, model: type[_Model], prepare: Callable[[Path, Any], Any] = lambda path, raw: raw) -> _Model:
    try:
        return model.model_validate(prepare(path, yaml.safe_load(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            field = ".".join(str(part) for part in problem["loc"]) or "(file)"
            lines.append(f"{path}: {field}: {problem['input']!r:.80}: {problem['msg']}")
        raise ConfigurationError("\n".join(lines)) from error
