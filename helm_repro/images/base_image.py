"""Make the base image from Debian packages, for machines that reach no image registry.

The default base is Docker's ``python:3.11-slim-bookworm``. Its equivalent here is
Debian's own bookworm with Debian's own Python 3.11: ``debootstrap`` and ``docker
import``, with the same things left out that Debian's slim images leave out
(https://github.com/debuerreotype/debuerreotype, ``scripts/.slimify-excludes``).
Needs root and Debian's archive, nothing else; nothing of this machine gets in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Optional

from helm_repro.errors import ConfigurationError, EngineError

BASE_IMAGE_TAG = "helm-repro-base:bookworm"
BASE_IMAGE_PYTHON = "3.11"
_PYTHON_OF = {"bookworm": BASE_IMAGE_PYTHON, "trixie": "3.13"}
_PACKAGES = ("ca-certificates", "netbase", "python{python}")
_EXCLUDED = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
_EMPTIED = ("tmp", "var/cache/apt", "var/cache/debconf", "var/lib/apt/lists", "var/log")
_REMOVED = ("etc/hostname", "etc/machine-id", "etc/resolv.conf", "var/cache/ldconfig/aux-cache")


def make_base_image(tag: str = BASE_IMAGE_TAG, suite: str = "bookworm", mirror: Optional[str] = None) -> str:
    """Build the base image and return its tag.

    Args:
        mirror: Debian mirror; default: that of debootstrap.

    Raises:
        ConfigurationError: not root, debootstrap is missing, or the suite is not one of ours.
        EngineError: Debian's archive or Docker did not answer.
    """
    if suite not in _PYTHON_OF:
        raise ConfigurationError(f"SUITE={suite}: unknown Debian suite, allowed: {', '.join(_PYTHON_OF)}")
    if os.geteuid() != 0:
        raise ConfigurationError("make base-image: debootstrap needs root, run it with sudo")
    if not shutil.which("debootstrap"):
        raise ConfigurationError("make base-image: debootstrap is not installed, run `apt-get install debootstrap`")
    packages = ",".join(_PACKAGES).format(python=_PYTHON_OF[suite])
    with tempfile.TemporaryDirectory(prefix="helm-repro-base-") as folder:
        root = Path(folder)
        root.chmod(0o755)  # it becomes the image's "/"
        _run(
            ["debootstrap", "--variant=minbase", f"--include={packages}", suite, folder, *([mirror] if mirror else [])]
        )
        _apply_security_updates(root, suite)
        _slim(root)
        _import(root, tag, _PYTHON_OF[suite])
    return tag


def _apply_security_updates(root: Path, suite: str) -> None:
    """Debootstrap installs a release as it was published; fixes since then lie beside it on the same mirror."""
    sources = root / "etc/apt/sources.list"
    mirror = sources.read_text(encoding="utf-8").split()[1]
    lines = [f"deb {mirror} {suite} main", f"deb {mirror} {suite}-updates main"]
    lines.append(f"deb {mirror.rstrip('/')}-security {suite}-security main")
    sources.write_text("\n".join(lines) + "\n", encoding="utf-8")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    _run(["chroot", str(root), *quiet, "update"])
    _run(["chroot", str(root), *quiet, "--yes", "dist-upgrade"])


def _slim(root: Path) -> None:
    """Drop what a container does not read, now and in every later apt-get."""
    excludes = [f"path-exclude {pattern}" for pattern in _EXCLUDED]
    excludes.append("path-include /usr/share/doc/*/copyright")
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text("\n".join(excludes) + "\n", encoding="utf-8")
    for document in (root / "usr/share/doc").rglob("*"):
        if not document.is_dir() and document.name != "copyright":
            document.unlink()
    for name in ("info", "locale", "man"):
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for name in _EMPTIED:
        for path in (root / name).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in _REMOVED:
        (root / name).unlink(missing_ok=True)
    for cache in root.glob("usr/lib/python3*/**/__pycache__"):
        shutil.rmtree(cache)


def _import(root: Path, tag: str, python: str) -> None:
    command = ["docker", "import", "--change", f'CMD ["python{python}"]', "-", tag]
    # Special files of the chroot would make the archive differ from run to run, or fail.
    archive = ["tar", "--create", "--numeric-owner", "--sort=name", "--exclude=./dev/*", "--exclude=./proc/*"]
    archive += ["--exclude=./sys/*", "--directory", str(root), "."]
    with subprocess.Popen(archive, stdout=subprocess.PIPE) as tar:
        _run(command, stdin=tar.stdout)
    if tar.returncode != 0:
        raise EngineError(f"make base-image: tar ended with {tar.returncode}")


def _run(command: Sequence[str], stdin: IO[bytes] | int | None = subprocess.DEVNULL) -> None:
    result = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        lines = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"exit {result.returncode}"
        raise EngineError(f"make base-image: {command[0]}: {reason}")
