"""Build images: render board directories, see to the base image, run ``docker buildx bake``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Optional

from helm_repro.catalogue import Catalogue
from helm_repro.catalogue.render import write_board
from helm_repro.errors import EngineError
from helm_repro.images.base_image import BASE_IMAGE_PYTHON, BASE_IMAGE_TAG
from helm_repro.images.definition import BOARDS, Options, base_image, boards_of, definition, image_name
from helm_repro.network import PROXIES

# Docker takes these arguments in every build and keeps them out of the image and its history:
# https://docs.docker.com/build/building/variables/#pre-defined-build-arguments
_PASSED_ON = (*PROXIES, "SOURCE_DATE_EPOCH")


def build(
    catalogue: Catalogue,
    ids: Iterable[str],
    options: Optional[Options] = None,
    say: Callable[[str], None] = lambda line: print(f"helm-repro: {line}", file=sys.stderr),
) -> list[str]:
    """Build the images of some leaderboards and return their names.

    BuildKit's own progress goes to standard error.

    Raises:
        ConfigurationError: an id or the catalogue is wrong, or a leaderboard has no gpu flavour.
        EngineError: Docker with buildx is missing, no base image can be had, or the build failed.
    """
    options = options or Options.from_environment()
    boards = boards_of(catalogue, ids, options.gpu)
    _require_buildx()
    bases = {base_image(catalogue.environment_of(board), options): catalogue.environment_of(board) for board in boards}
    for base, environment in bases.items():
        if not _at_hand(base):
            options = _without_registry(base, environment.python, options, say)
    for board in boards:
        write_board(catalogue, board, catalogue.root / BOARDS / board.tag)
    run_bake(catalogue, [board.id for board in boards], options)
    return [image_name(board, options) for board in boards]


def run_bake(catalogue: Catalogue, ids: Sequence[str], options: Options) -> None:
    """Run bake on what :func:`definition` gives; board directories and base image must be there.

    Raises:
        EngineError: the build failed; its log has gone to standard error.
    """
    command = ["docker", "buildx", "bake", "--file", "-"]
    for name in _PASSED_ON:
        if os.environ.get(name):
            command += ["--set", f"*.args.{name}"]  # without a value: bake takes it from the environment
    # Where images go, the definition says. Attestations need a registry to live in: Docker's own store has no place.
    command += ["--sbom=true", "--provenance=mode=max"] if options.push else ["--provenance=false"]
    process = subprocess.run(
        command,
        cwd=catalogue.root,
        # The definition is ours, so newer buildx need not ask whether it may read the CA file.
        env={**os.environ, "BUILDX_BAKE_ENTITLEMENTS_FS": "0"},
        input=json.dumps(definition(catalogue, ids, options)).encode(),
        check=False,
    )
    if process.returncode != 0:
        raise EngineError(f"docker buildx bake: building {', '.join(ids)} failed, see the log above")


def _require_buildx() -> None:
    try:
        process = subprocess.run(["docker", "buildx", "version"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise EngineError("docker: not installed; images need Docker 23 or later with buildx") from error
    if process.returncode != 0:
        raise EngineError("docker: the buildx plugin is missing (Debian: docker-buildx); images are built with it")


def _at_hand(image: str) -> bool:
    """Whether an image is here, or has now been pulled."""
    for command in (["docker", "image", "inspect", image], ["docker", "pull", "--quiet", image]):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return True
    return False


def _without_registry(base: str, python: str, options: Options, say: Callable[[str], None]) -> Options:
    """Fall back on our own base image, if the user named none and it has been made.

    Raises:
        EngineError: otherwise.
    """
    usable = options.base_image is None and python == BASE_IMAGE_PYTHON
    if usable and subprocess.run(["docker", "image", "inspect", BASE_IMAGE_TAG], capture_output=True).returncode == 0:
        say(f"base image {base} cannot be pulled, using {BASE_IMAGE_TAG}")
        return Options(**{**vars(options), "base_image": BASE_IMAGE_TAG})
    advice = f"run `make base-image` and pass BASE_IMAGE={BASE_IMAGE_TAG}"
    raise EngineError(f"base image {base} cannot be pulled; without a registry, {advice}")
