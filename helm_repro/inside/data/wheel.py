"""Python packages that are only data, unpacked from their wheels where no installer is.

The images have no pip. A wheel without scripts is installed by unpacking it
(https://packaging.python.org/specifications/binary-distribution-format/); what asks whether
it is installed asks for the metadata beside it (``importlib.metadata``).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import tempfile
import zipfile
from pathlib import Path


def has(folder: Path, package: str) -> bool:
    """Whether this folder of an import path holds the package."""
    return any(True for _ in importlib.metadata.distributions(name=package, path=[str(folder)]))


def unpack(wheel: Path) -> None:
    """Unpack a wheel beside it and remove it.

    The metadata come last, so that who finds them finds all.

    Raises:
        OSError: the folder cannot be written to.
        zipfile.BadZipFile: it is no wheel.
    """
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=wheel.parent) as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)  # nothing outside: it drops drives, roots and ".."
        for part in sorted(Path(folder).iterdir(), key=lambda path: path.name.endswith(".dist-info")):
            target = wheel.parent / part.name
            # Another shard may have put the same there just now.
            with contextlib.suppress(OSError):
                part.rename(target)
            if not target.exists():
                raise OSError(f"{target} cannot be written")
    wheel.unlink(missing_ok=True)
