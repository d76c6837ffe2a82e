"""The base image made from Debian packages: what stops it, and that it holds what it should."""

from __future__ import annotations

import os
from pathlib import Path

import docker
import pytest

from helm_repro.errors import ConfigurationError, EngineError
from helm_repro.images import base_image
from helm_repro.images.base_image import BASE_IMAGE_TAG, make_base_image


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="SUITE=woody: unknown Debian suite, allowed: bookworm, trixie"):
        make_base_image(suite="woody")


def test_it_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigurationError, match="needs root, run it with sudo"):
        make_base_image()


def test_it_needs_debootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="apt-get install debootstrap"):
        make_base_image()


def test_a_failing_debootstrap_is_one_line_with_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "debootstrap"
    script.write_text("#!/bin/sh\necho I: Retrieving Release\necho 'E: Failed getting release file' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(EngineError, match=r"^make base-image: debootstrap: E: Failed getting release file$"):
        make_base_image()


def test_what_a_container_never_reads_is_left_out(tmp_path: Path) -> None:
    kept = ["usr/share/doc/tini/copyright", "usr/lib/python3.11/json/decoder.py", "etc/passwd"]
    dropped = [
        *("usr/share/doc/tini/changelog.gz", "usr/share/man/man1/tini.1.gz", "usr/share/locale/de/x.mo"),
        *("var/lib/apt/lists/index", "var/cache/apt/archives/a.deb", "var/log/dpkg.log", "tmp/x"),
        *("etc/hostname", "etc/resolv.conf", "usr/lib/python3.11/json/__pycache__/decoder.pyc"),
    ]
    for name in [*kept, *dropped, "var/cache/debconf/x", "etc/dpkg/dpkg.cfg.d/other"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    base_image._slim(tmp_path)
    assert all((tmp_path / name).exists() for name in kept)
    assert [name for name in dropped if (tmp_path / name).exists()] == []


@pytest.mark.docker
def test_the_base_image_has_python_and_certificates_and_nothing_of_this_machine() -> None:
    client = docker.from_env()
    try:
        image = client.images.get(BASE_IMAGE_TAG)
    except docker.errors.ImageNotFound:
        pytest.skip(f"{BASE_IMAGE_TAG} is not here; `make base-image` makes it")
    assert image.attrs["Size"] < 130e6
    certificates = "/etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates"
    script = f"python3.11 -c 'import ssl, sqlite3, lzma' && ls {certificates}"
    output = client.containers.run(image, ["sh", "-c", script], remove=True, network_mode="none").decode()
    assert output.split() == ["/etc/ssl/certs/ca-certificates.crt", "/usr/local/share/ca-certificates:"]
