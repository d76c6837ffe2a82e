"""For publish.yml: leaderboards become a build definition that pushes, and metadata becomes digests.

``publishing.py`` writes ``publish.json`` for $LEADERBOARDS in their $FLAVOUR (names in
$REGISTRY/$REPOSITORY, a build cache, platforms) and the board directories that it names;
``publishing.py --digests FILE`` prints ``repository@sha256:…``, one a line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from helm_repro.catalogue import load_catalogue
from helm_repro.catalogue.render import write_board
from helm_repro.errors import ConfigurationError
from helm_repro.images.definition import BOARDS, Options, boards_of, definition

AMD64, ARM64 = "linux/amd64", "linux/arm64"
_ARM_WHEELS = "aarch64-unknown-linux-gnu"


def main(arguments: list[str]) -> None:
    """Do what the arguments say.

    Raises:
        ConfigurationError: a leaderboard is unknown or has no such flavour, or REGISTRY is not set.
    """
    if arguments:
        print("\n".join(digests(json.loads(Path(arguments[1]).read_bytes()), repository(os.environ))))
        return
    catalogue = load_catalogue()
    ids = os.environ["LEADERBOARDS"].split()
    options = dataclasses.replace(
        Options.from_environment(), repository=repository(os.environ), push=True, gpu=os.environ["FLAVOUR"] == "gpu"
    )
    for board in boards_of(catalogue, ids, options.gpu):
        write_board(catalogue, board, BOARDS / board.tag)
    bake = publish(definition(catalogue, ids, options), options.repository, has_arm_wheels)
    Path("publish.json").write_text(json.dumps(bake, indent=1))


def repository(environ: Mapping[str, str]) -> str:
    """Where images go, in lower case as names of images are (those of an owner on GitHub need not be).

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests

    Raises:
        ConfigurationError: REGISTRY is not set; Docker would take its own registry.
    """
    if not environ.get("REGISTRY"):
        raise ConfigurationError("REGISTRY: set the repository's variable to the host of the registry to push to")
    return f"{environ['REGISTRY']}/{environ['REPOSITORY']}".lower()


def publish(bake: dict[str, Any], repository: str, for_arm: Callable[[str, str], bool]) -> dict[str, Any]:
    """The definition with cache and platforms for publishing."""
    targets = bake["target"].values()
    pythons = {target["args"]["ENVIRONMENT"]: target["args"]["PYTHON_VERSION"] for target in targets}
    platforms = {name: [AMD64, ARM64] if for_arm(name, python) else [AMD64] for name, python in pythons.items()}
    # In the registry, which keeps equal layers once and wants no other token than the push:
    # https://docs.docker.com/build/cache/backends/registry/
    caches = {environment: f"type=registry,ref={repository}:cache-{environment}" for environment in pythons}
    unwritten = dict(caches)
    for target in targets:
        environment = target["args"]["ENVIRONMENT"]
        target["platforms"] = platforms[environment]
        target["cache-from"] = list(caches.values())
        # One image of each environment writes: the others share its layers but the last, and a second one
        # would overwrite the first. With mode=max that includes the stages that the environment starts from.
        if "tags" in target and environment in unwritten:
            target["cache-to"] = [f"{unwritten.pop(environment)},mode=max"]
    return bake


def has_arm_wheels(environment: str, python: str) -> bool:
    """Whether the environment's lock can be installed on ARM without a compiler."""
    command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run", "--quiet", "--no-deps"]
    where = ["--target", "build/arm", "--python-version", python, "--python-platform", _ARM_WHEELS]
    lock = ["--only-binary", ":all:", "--require-hashes", "--requirements", f"images/{environment}/requirements.lock"]
    return subprocess.run([*command, *where, *lock], stdin=subprocess.DEVNULL).returncode == 0


def digests(metadata: dict[str, Any], repository: str) -> list[str]:
    """Each pushed image with its digest, as cosign wants it: a tag could be moved before it is signed.

    Some builders state a digest, and a name of their own, for what images start from as well.
    """
    return [
        f"{repository}@{target['containerimage.digest']}"
        for target in metadata.values()
        if isinstance(target, dict) and target.get("image.name", "").startswith(f"{repository}:")
    ]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ConfigurationError as error:
        sys.exit(str(error))
