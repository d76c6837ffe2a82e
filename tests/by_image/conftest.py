"""Images and containers for tests: built once, containers tracked and always removed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest
from docker.errors import DockerException
from docker.models.containers import Container

from helm_repro.catalogue import Catalogue
from helm_repro.errors import EngineError
from helm_repro.images.bake import build


@pytest.fixture(scope="session")
def client() -> docker.DockerClient:
    try:
        found = docker.from_env()
        found.ping()
    except DockerException as error:
        if os.environ.get("HELM_REPRO_REQUIRE_DOCKER"):
            pytest.fail(f"no Docker engine answers: {error}")
        pytest.skip("no Docker engine answers")
    return found


@pytest.fixture(scope="session")
def smoke_image(client: docker.DockerClient, catalogue: Catalogue) -> str:
    """helm-repro:smoke as `make image` builds it."""
    try:
        (name,) = build(catalogue, ["smoke"])
    except EngineError as error:
        if os.environ.get("HELM_REPRO_REQUIRE_DOCKER"):
            raise
        pytest.skip(f"the image cannot be built here: {error}")
    return name


class Containers:
    """Starts containers and removes them all in the end."""

    def __init__(self, client: docker.DockerClient):
        self._client = client
        self._started: list[Container] = []

    def start(self, image: str, *words: str, **options: object) -> Container:
        container = self._client.containers.create(image, list(words), **options)
        self._started.append(container)
        container.start()
        return container

    def finish(self, image: str, *words: str, **options: object) -> tuple[int, str]:
        """Run to the end; return exit code and everything written."""
        container = self.start(image, *words, **options)
        code = container.wait(timeout=600)["StatusCode"]
        return code, container.logs().decode()

    def remove_all(self) -> None:
        for container in self._started:
            container.remove(force=True)


@pytest.fixture
def containers(client: docker.DockerClient) -> Iterator[Containers]:
    tracked = Containers(client)
    yield tracked
    tracked.remove_all()
