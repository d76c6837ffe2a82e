"""Environments that hold PyTorch, made once below .cache, and tiny models made with them."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import uv

from helm_repro.catalogue import Catalogue
from helm_repro.catalogue.render import lock_path
from tests.conftest import ROOT

TORCH = "torch==2.13.0"
# In an environment of its own, as a server is: HELM's lock has an older transformers, whose `serve` only streams.
SERVER = (TORCH, "transformers[serving]==5.23.0")


@pytest.fixture(scope="session")
def torch_python(catalogue: Catalogue) -> Path:
    """HELM with PyTorch for the CPU; HELM_REPRO_TEST_TORCH_PYTHON names one that is there already."""
    lock = lock_path(catalogue, catalogue.leaderboards["smoke"])

    def install(python: Path) -> None:
        _uv("pip", "install", "--python", str(python), "--require-hashes", "--no-deps", "--requirements", str(lock))
        _uv("pip", "install", "--python", str(python), "--compile-bytecode", *_cpu_torch(), TORCH)

    return _environment("HELM_REPRO_TEST_TORCH_PYTHON", "torch", lock.read_bytes() + TORCH.encode(), install)


@pytest.fixture(scope="session")
def server_python() -> Path:
    """An inference server from PyPI; HELM_REPRO_TEST_SERVER_PYTHON names one that is there already."""

    def install(python: Path) -> None:
        _uv("pip", "install", "--python", str(python), "--compile-bytecode", *_cpu_torch(), *SERVER)

    return _environment("HELM_REPRO_TEST_SERVER_PYTHON", "server", repr(SERVER).encode(), install)


def _environment(variable: str, name: str, content: bytes, install: Callable[[Path], None]) -> Path:
    """The Python of an environment below .cache, made by ``install`` once per content."""
    given = os.environ.get(variable)
    if given:
        return Path(given)
    directory = ROOT / ".cache" / "environments" / f"test-{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    python = directory / "bin" / "python"
    if not (directory / ".complete").exists():
        _uv("venv", "--clear", "--python", "3.11", str(directory))
        install(python)
        (directory / ".complete").touch()
    return python


def _cpu_torch() -> list[str]:
    """PyTorch's CPU wheel: from a folder (PIP_FIND_LINKS), or else from its own index; CUDA's is 20 times as large."""
    found = os.environ.get("PIP_FIND_LINKS")
    return ["--find-links", found] if found else ["--torch-backend", "cpu"]


def _uv(*arguments: str) -> None:
    done = subprocess.run([uv.find_uv_bin(), *arguments, "--quiet"], capture_output=True, text=True)
    if done.returncode:
        skip_or_fail(f"no environment with PyTorch: uv {arguments[0]}: {' '.join(done.stderr.split())[-300:]}")


def skip_or_fail(reason: str) -> NoReturn:
    """Skip on a machine that lacks something, but not in CI, where nobody would miss the tests."""
    if os.environ.get("CI") or os.environ.get("HELM_REPRO_REQUIRE_DOCKER"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tiny_models(torch_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with a base model and one with a chat template."""
    folder = tmp_path_factory.mktemp("models")
    script = ROOT / "tests" / "support" / "tiny_model.py"
    for name, options in (("base", []), ("chat", ["--chat"])):
        subprocess.run(
            [str(torch_python), str(script), str(folder / f"tiny-{name}"), *options], check=True, timeout=300
        )
    return {name: folder / f"tiny-{name}" for name in ("base", "chat")}
