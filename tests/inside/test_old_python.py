"""Archives on Debian 12's Python, whose ``unpack_archive`` has no ``filter``."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from helm_repro.inside.process.old_python import accept_filter

Archive = Callable[..., Path]


@pytest.fixture(autouse=True)
def _old(monkeypatch: pytest.MonkeyPatch) -> None:
    new = shutil.unpack_archive

    def old(filename, extract_dir=None, format=None):  # as in Python 3.11.2
        return new(filename, extract_dir, format)

    monkeypatch.setattr(shutil, "unpack_archive", old)
    accept_filter()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    def make(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: str = "w:gz") -> Path:
        path = tmp_path / "a.tar"
        with tarfile.open(path, mode) as tar:
            first = tarfile.TarInfo("data/test.csv")
            first.size = 2
            tar.addfile(first, io.BytesIO(b"ok"))
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            tar.addfile(member)
        return path

    return make


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_data_is_unpacked_as_helm_asks_for_it(archive: Archive, tmp_path: Path, mode: str) -> None:
    path = archive("data/same.csv", tarfile.SYMTYPE, "test.csv", mode)
    shutil.unpack_archive(path, tmp_path / "out", format="tar", filter="data")
    assert (tmp_path / "out/data/test.csv").read_text() == "ok"
    assert (tmp_path / "out/data/same.csv").read_text() == "ok"


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../outside", tarfile.REGTYPE, ""),
        ("/tmp/outside", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "../outside"),
        ("link", tarfile.SYMTYPE, "/etc/passwd"),
        ("link", tarfile.LNKTYPE, "../outside"),
        ("pipe", tarfile.FIFOTYPE, ""),
    ],
)
def test_what_leads_elsewhere_is_refused(archive: Archive, tmp_path: Path, name: str, kind: bytes, link: str) -> None:
    with pytest.raises(tarfile.TarError, match=name):
        shutil.unpack_archive(archive(name, kind, link), tmp_path / "out", format="tar", filter="data")
    assert not (tmp_path / "outside").exists()


def test_other_calls_are_as_before(archive: Archive, tmp_path: Path) -> None:
    shutil.unpack_archive(archive("more"), tmp_path / "out", format="gztar", filter=None)
    assert (tmp_path / "out/data/test.csv").read_text() == "ok"
    with pytest.raises(ValueError, match="'fully_trusted'"):
        shutil.unpack_archive(archive("more"), tmp_path / "out", filter="fully_trusted")


def test_a_newer_python_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def new(filename, extract_dir=None, format=None, *, filter=None):
        pass

    monkeypatch.setattr(shutil, "unpack_archive", new)
    accept_filter()
    assert shutil.unpack_archive is new
