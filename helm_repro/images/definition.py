"""Catalogue to a ``docker buildx bake`` definition: one target per leaderboard.

A pure function of catalogue and options, printable with ``helm-repro bake --print``.
Invariants:

- targets of one environment differ in their board directory and labels only, so they
  share every layer but the last,
- an environment that extends another starts from that one's stages (linked targets:
  https://docs.docker.com/build/bake/contexts/#using-a-target-as-a-build-context), so
  its images share those layers, too,
- no secret is in it: certificates and indexes are named, never read; proxies stay in
  the environment (see :mod:`helm_repro.images.bake`).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from helm_repro.catalogue import Catalogue, Environment, Leaderboard
from helm_repro.catalogue.render import lock_path
from helm_repro.errors import ConfigurationError
from helm_repro.images.labels import labels

BOARDS = Path("build", "boards")
# Stages of the Dockerfile that the environments extending one start from.
LINKED_STAGES = ("environment", "layers")
# How package managers name the address of their index, in the order in which we look.
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")


@dataclasses.dataclass(frozen=True)
class Options:
    """How to build, as opposed to what.

    Attributes:
        base_image: image to start from; default: the Python image of the environment's version.
        ca_file: certificates to trust while building, beside the system's.
        index_variable: environment variable that holds the address of a package index.
        repository: name that tags are made of, with a registry's host to push.
        push: push instead of loading into Docker, with SBOM and provenance.
        gpu: the leaderboards' gpu flavours.
    """

    base_image: Optional[str] = None
    ca_file: Optional[Path] = None
    index_variable: Optional[str] = None
    repository: str = "helm-repro"
    push: bool = False
    gpu: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Options:
        """Read BASE_IMAGE, CA_FILE (else SSL_CERT_FILE) and whichever index variable is set.

        Raises:
            ConfigurationError: CA_FILE names no file.
        """
        stated = environ.get("CA_FILE")
        if stated and not Path(stated).is_file():
            raise ConfigurationError(f"CA_FILE={stated}: no such file")
        # What this machine needs to reach the package index, its containers need too.
        ca_file = stated or environ.get("SSL_CERT_FILE")
        return cls(
            base_image=environ.get("BASE_IMAGE") or None,
            ca_file=Path(ca_file) if ca_file and Path(ca_file).is_file() else None,
            index_variable=next((name for name in INDEX_VARIABLES if environ.get(name)), None),
        )


def boards_of(catalogue: Catalogue, ids: Iterable[str], gpu: bool) -> list[Leaderboard]:
    """Leaderboards by id, each once, in their gpu flavour if that is wanted.

    Raises:
        ConfigurationError: an id is not in the catalogue, or that leaderboard has no such flavour.
    """
    boards = [catalogue.leaderboard(identifier) for identifier in dict.fromkeys(ids)]
    return [catalogue.gpu_flavour(board) for board in boards] if gpu else boards


def definition(catalogue: Catalogue, ids: Iterable[str], options: Options) -> dict[str, Any]:
    """The bake definition for some leaderboards.

    Raises:
        ConfigurationError: as :func:`boards_of`, or an environment has no lock.
    """
    boards = boards_of(catalogue, ids, options.gpu)
    targets = {_target_name(board.tag): _target(catalogue, board, options) for board in boards}
    linked: dict[str, Any] = {}
    for board in boards:
        environment = catalogue.environment_of(board)
        while environment.extends:
            environment = catalogue.environments[environment.extends]
            for stage in LINKED_STAGES:
                target = {**_build(environment, options), "target": stage, "output": ["type=cacheonly"]}
                linked[_target_name(f"{stage}-{environment.id}")] = target
    return {"group": {"default": {"targets": list(targets)}}, "target": {**targets, **linked}}


def _target_name(identifier: str) -> str:
    """Bake allows no dots in a target's name."""
    return identifier.replace(".", "_")


def image_name(leaderboard: Leaderboard, options: Options) -> str:
    """The tag a leaderboard's image gets."""
    return f"{options.repository}:{leaderboard.tag}"


def base_image(environment: Environment, options: Options) -> str:
    """The image an environment starts from."""
    return options.base_image or f"python:{environment.python}-slim-bookworm"


def _target(catalogue: Catalogue, leaderboard: Leaderboard, options: Options) -> dict[str, Any]:
    environment = catalogue.environment_of(leaderboard)
    if not lock_path(catalogue, leaderboard).is_file():
        raise ConfigurationError(
            f"images/{environment.id}: has no requirements.lock, run `make lock ENVIRONMENT={environment.id}`"
        )
    build = _build(environment, options)
    return {
        **build,
        "contexts": {"board": (BOARDS / leaderboard.tag).as_posix(), **build["contexts"]},
        "labels": labels(catalogue, leaderboard),
        "tags": [image_name(leaderboard, options)],
        "output": ["type=registry" if options.push else "type=docker"],
    }


def _build(environment: Environment, options: Options) -> dict[str, Any]:
    """What all targets of an environment have in common."""
    secrets = []
    if options.ca_file:
        secrets.append(f"id=ca,src={options.ca_file}")
    if options.index_variable:
        secrets.append(f"id=index,env={options.index_variable}")
    return {
        "context": ".",
        "dockerfile": "Dockerfile",
        "contexts": {
            f"inherited-{stage}": f"target:{_target_name(f'{stage}-{environment.extends}')}"
            for stage in LINKED_STAGES
            if environment.extends
        },
        "args": {
            "BASE_IMAGE": base_image(environment, options),
            "PYTHON_VERSION": environment.python,
            "ENVIRONMENT": environment.id,
            "BUILD_PACKAGES": " ".join(environment.build_packages),
            "SYSTEM_PACKAGES": " ".join(environment.system_packages),
        },
        "secret": secrets,
    }
