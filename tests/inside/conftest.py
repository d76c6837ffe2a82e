"""A Python for models that run in the container: HELM's lock with PyTorch for the CPU, made once."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
import uv

from helm_repro.catalogue import Catalogue
from helm_repro.catalogue.render import lock_path
from tests.conftest import ROOT

TORCH = "torch==2.13.0"
# Of transformers' extra "serving", what its `serve` command needs for text.
SERVE = ("fastapi", "uvicorn", "accelerate", "rich")


@pytest.fixture(scope="session")
def torch_python(catalogue: Catalogue) -> Path:
    """HELM_REPRO_TEST_TORCH_PYTHON, or an environment below .cache made from the lock.

    HELM_REPRO_TEST_FIND_LINKS may name a folder with PyTorch's CPU wheel; the CUDA one is 20 times as large.
    """
    given = os.environ.get("HELM_REPRO_TEST_TORCH_PYTHON")
    if given:
        return Path(given)
    lock = lock_path(catalogue, catalogue.leaderboards["smoke"])
    digest = hashlib.sha256(lock.read_bytes() + f"{TORCH}{SERVE}".encode()).hexdigest()[:12]
    directory = ROOT / ".cache" / "environments" / f"torch-cpu-{digest}"
    python = directory / "bin" / "python"
    if not (directory / ".complete").exists():
        _uv(
            "venv",
            "--clear",
            "--python",
            catalogue.environment_of(catalogue.leaderboards["smoke"]).python,
            str(directory),
        )
        _uv("pip", "install", "--python", str(python), "--require-hashes", "--no-deps", "--requirements", str(lock))
        _uv("pip", "install", "--python", str(python), "--compile-bytecode", *_cpu_torch(), TORCH, *SERVE)
        (directory / ".complete").touch()
    return python


def _cpu_torch() -> list[str]:
    folders = [os.environ.get("HELM_REPRO_TEST_FIND_LINKS"), os.environ.get("PIP_FIND_LINKS")]
    found = next((folder for folder in folders if folder), None)
    return ["--find-links", found] if found else ["--torch-backend", "cpu"]


def _uv(*arguments: str) -> None:
    done = subprocess.run([uv.find_uv_bin(), *arguments, "--quiet"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no environment with PyTorch: uv {arguments[0]}: {' '.join(done.stderr.split())[-300:]}")


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
