"""``shutil.unpack_archive(filter="data")`` for a Python that is too old for it.

HELM unpacks downloads that way (helm/common/general.py), which Python has since 3.11.4
(https://peps.python.org/pep-0706/). Debian 12's own Python, which images have where no
registry can be reached, is 3.11.2: MMLU and every other data set in a tar file would end
in a TypeError there. On newer ones nothing is changed.
"""

from __future__ import annotations

import inspect
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional


def accept_filter() -> None:
    """Teach this process and its forks the argument, if it is unknown."""
    original: Any = shutil.unpack_archive
    if "filter" in inspect.signature(original).parameters:
        return

    def unpack_archive(
        filename: Any, extract_dir: Any = None, format: Optional[str] = None, *, filter: Optional[str] = None
    ) -> None:
        if filter is None:
            original(filename, extract_dir, format)
        elif filter == "data":
            unpack_data(filename, extract_dir or Path.cwd())
        else:
            raise ValueError(f"filter {filter!r}: this Python knows none but 'data'")

    setattr(shutil, "unpack_archive", unpack_archive)  # noqa: B010 - to type checkers, Python has it


def unpack_data(filename: Any, folder: Any) -> None:
    """Unpack a tar file, compressed or not, that holds nothing but files, folders and links within itself.

    Raises:
        tarfile.TarError: it holds something else, which is not unpacked.
    """
    with tarfile.open(filename) as archive:
        archive.extractall(folder, members=_harmless(archive, Path(folder).resolve()))


def _harmless(archive: tarfile.TarFile, root: Path) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        place = root / member.name
        targets = [place]
        if member.issym():
            targets.append(place.parent / member.linkname)
        elif member.islnk():
            targets.append(root / member.linkname)
        elif not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name}: is a device or pipe")
        for target in targets:
            if not target.resolve().is_relative_to(root):
                raise tarfile.TarError(f"{member.name}: leads out of the folder")
        yield member
