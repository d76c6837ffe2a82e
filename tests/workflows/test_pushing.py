"""What publish.yml defines is pushed by the command that it gives, and signed as what was pushed.

To a registry on this machine, from a Dockerfile that takes seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from helm_repro.images.definition import LINKED_STAGES
from tests.by_image.conftest import client  # noqa: F401 - a fixture
from tests.workflows.test_workflows import Workflow

pytestmark = pytest.mark.docker

_ANY_FORMAT = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Host and port of an empty registry; Docker asks those of this machine without TLS."""
    if shutil.which("docker-registry") is None:
        if os.environ.get("HELM_REPRO_REQUIRE_DOCKER"):
            pytest.fail("needs docker-registry")
        pytest.skip("needs docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    configuration = tmp_path / "registry.json"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}
    configuration.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": host}}))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            try:
                _get(f"http://{host}/v2/")
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        yield host
    finally:
        process.kill()
        process.wait()


def test_published_images_are_in_the_registry(registry: str, tmp_path: Path, client: DockerClient) -> None:  # noqa: F811
    workflow = Workflow("publish.yml", tmp_path, tmp_path)
    workflow.values |= {
        # Of two environments, one of which starts from the other's stages.
        "inputs.leaderboards || vars.LEADERBOARDS || 'smoke'": "smoke classic",
        "inputs.flavour || 'default'": "default",
        "github.repository": "Someone/Helm-Repro",
        "vars.REGISTRY": registry,
    }
    left = workflow.run_job("publish", skip=("Build and push", "Digests", "Sign"))
    _make_small(workflow.checkout)
    build = left["Build and push"]
    # Docker's own builder takes no attestations.
    for option in ("--sbom=true", "--provenance=mode=max"):
        build = {**build, "run": build["run"].replace(option, "")}
    repository = "someone/helm-repro"
    try:
        workflow.run_step(build)
    finally:
        # Docker's own builder keeps what it pushes.
        for image in client.images.list(f"{registry}/{repository}"):
            client.images.remove(image.id, force=True)
    workflow.run_step(left["Digests"])

    assert json.loads(_get(f"http://{registry}/v2/{repository}/tags/list").read())["tags"] == ["classic", "smoke"]
    pushed = [
        _get(f"http://{registry}/v2/{repository}/manifests/{tag}").headers["Docker-Content-Digest"]
        for tag in ("smoke", "classic")
    ]
    lines = (workflow.checkout / "digests.txt").read_text().splitlines()
    assert sorted(lines) == sorted(f"{registry}/{repository}@{digest}" for digest in pushed)


def _make_small(checkout: Path) -> None:
    """Let publish.json build a file of each board, and leave out what Docker's own builder cannot do."""
    path = checkout / "publish.json"
    bake = json.loads(path.read_bytes())
    for target in bake["target"].values():
        target["dockerfile"] = "Smallfile"
        target["secret"] = []
        for name in ("platforms", "cache-from", "cache-to"):
            target.pop(name, None)
    path.write_text(json.dumps(bake))
    stages = [
        f"FROM scratch AS inherited-{name}\nFROM inherited-{name} AS {name}\nCOPY /here /" for name in LINKED_STAGES
    ]
    small = ["FROM scratch AS board", *stages, "FROM layers AS image\nCOPY --from=board / /board"]
    (checkout / "Smallfile").write_text("\n".join(small) + "\n")
    (checkout / "here").write_text("")


def _get(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(urllib.request.Request(url, headers={"Accept": _ANY_FORMAT}))
