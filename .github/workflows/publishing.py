"""For publish.yml: a build definition becomes one to publish, and metadata becomes digests.

``publishing.py bake.json`` writes ``publish.json`` (tags in $REPOSITORY, a build cache,
platforms) and the board directories that it names; ``publishing.py --digests FILE``
prints ``repository@sha256:…``, one a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helm_repro.catalogue import load_catalogue
from helm_repro.catalogue.render import write_board
from helm_repro.images.labels import PREFIX

AMD64, ARM64 = "linux/amd64", "linux/arm64"
_ARM_WHEELS = "aarch64-unknown-linux-gnu"


def main(arguments: list[str]) -> None:
    """Do what the arguments say."""
    if arguments[0] == "--digests":
        print("\n".join(digests(json.loads(Path(arguments[1]).read_bytes()))))
        return
    bake = json.loads(Path(arguments[0]).read_bytes())
    catalogue = load_catalogue()
    for target in filter(is_image, bake["target"].values()):
        board = catalogue.leaderboard(target["labels"][PREFIX + "leaderboard"])
        if target["labels"][PREFIX + "flavour"] == "gpu":
            board = catalogue.gpu_flavour(board)
        write_board(catalogue, board, Path(target["contexts"]["board"]))
    Path("publish.json").write_text(json.dumps(publish(bake, os.environ["REPOSITORY"], has_arm_wheels), indent=1))


def is_image(target: dict[str, Any]) -> bool:
    """Whether a target is a leaderboard's image, and not what images of one environment start from."""
    return "tags" in target


def publish(bake: dict[str, Any], repository: str, for_arm: Callable[[str, str], bool]) -> dict[str, Any]:
    """The definition with tags, cache and platforms for publishing."""
    allowed: dict[str, bool] = {}
    for target in bake["target"].values():
        environment, python = target["args"]["ENVIRONMENT"], target["args"]["PYTHON_VERSION"]
        if environment not in allowed:
            allowed[environment] = for_arm(environment, python)
        if is_image(target):
            target["tags"] = [f"{repository}:{tag.rpartition(':')[2]}" for tag in target["tags"]]
        target["platforms"] = [AMD64, ARM64] if allowed[environment] else [AMD64]
        # One cache per environment: its leaderboards share every layer but the last.
        target["cache-from"] = [f"type=gha,scope={environment}"]
        target["cache-to"] = [f"type=gha,mode=max,scope={environment}"]
    return bake


def has_arm_wheels(environment: str, python: str) -> bool:
    """Whether the environment's lock can be installed on ARM without a compiler."""
    command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run", "--quiet", "--no-deps"]
    where = ["--target", "build/arm", "--python-version", python, "--python-platform", _ARM_WHEELS]
    lock = ["--only-binary", ":all:", "--require-hashes", "--requirements", f"images/{environment}/requirements.lock"]
    return subprocess.run([*command, *where, *lock], stdin=subprocess.DEVNULL).returncode == 0


def digests(metadata: dict[str, Any]) -> list[str]:
    """Each image with its digest, as cosign wants it: a tag could be moved before it is signed."""
    return [
        f"{target['image.name'].rpartition(':')[0]}@{target['containerimage.digest']}"
        for target in metadata.values()
        if isinstance(target, dict) and "containerimage.digest" in target
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
