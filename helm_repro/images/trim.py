"""Make an installed environment small: runs in the Dockerfile's build stage, nowhere else.

A plain installation of HELM with every hosted provider's client is 1.7 GB, of which
HELM never opens a third. Invariants:

- what is removed is named in :data:`RULES`, with the reason; nothing is guessed,
- every module of HELM that can be imported before can be imported after (tested),
- no file changes its meaning: native libraries only lose symbols that the linker
  does not need, as in every Debian package (``dh_strip``),
- an environment that adds PyTorch to a trimmed one gets back what was removed for want
  of it (:func:`incomplete`).

Standard library only: it runs on the image's own Python, before anything else is there.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

_ELF64 = b"\x7fELF\x02\x01"
_HEADER_SIZE = 64
_PT_LOAD = 1


@dataclasses.dataclass(frozen=True)
class Rule:
    """Files that are removed: a glob below site-packages, what is kept of it, and why."""

    pattern: str
    reason: str
    keep: tuple[str, ...] = ()
    unless_installed: Optional[str] = None


RULES = (
    Rule(
        "googleapiclient/discovery_cache/documents/*",
        "descriptions of all Google services; HELM asks for its only one (Perspective) with static_discovery=False",
    ),
    Rule("**/tests", "packages' own tests"),
    Rule("joblib/test", "tests"),
    Rule("nltk/test", "tests"),
    Rule("pyarrow/include", "headers for compiling against Arrow"),
    Rule("pyarrow/*flight*", "Arrow's network protocol; datasets and pandas read files"),
    Rule("pyarrow/_pyarrow_cpp_tests*", "tests"),
    Rule("pyarrow/_substrait*", "query plans of other programs; datasets and pandas read files"),
    Rule("pyarrow/libarrow_python*.so", "second copies under the name that compilers look for"),
    Rule("pyarrow/libarrow_python*.so.*.*", "third copies"),
    Rule("torch/include", "headers for compiling against PyTorch"),
    Rule("torch/share", "build files for compiling against PyTorch"),
    Rule("torch/bin/*", "PyTorch's own tests and the compiler of its file formats", keep=("torch_shm_manager",)),
    Rule("nvidia/**/include", "headers for compiling against CUDA"),
    Rule("nvidia/**/*.a", "libraries for compiling against CUDA"),
    Rule("numpy/_core/include", "headers for compiling against numpy"),
    Rule(
        "botocore/data/*",
        "descriptions of all of Amazon's services; HELM calls Bedrock, under a role if asked",
        keep=("*.json", "bedrock", "bedrock-runtime", "signin", "sso", "sso-oidc", "sts"),
    ),
    Rule(
        "transformers/models/*/modeling_*.py",
        "neural networks, which transformers cannot load without PyTorch; tokenizers stay",
        keep=("modeling*_auto.py",),
        unless_installed="torch",
    ),
    Rule("transformers/models/*/modular_*.py", "what the modeling files are generated from", unless_installed="torch"),
    Rule(
        "transformers/generation/*",
        "how models in the container write text",
        keep=("__init__.py", "configuration_utils.py"),
        unless_installed="torch",
    ),
    Rule("transformers/quantizers", "models in the container", unless_installed="torch"),
    Rule("transformers/loss", "training", unless_installed="torch"),
    Rule("transformers/trainer*.py", "training", keep=("trainer_utils.py",), unless_installed="torch"),
    Rule(
        "transformers/modeling_*.py",
        "models in the container; the one about GGUF files is imported by tokenizers",
        keep=("modeling_gguf_pytorch_utils.py",),
        unless_installed="torch",
    ),
    Rule("transformers/models/*/image_processing_*_fast.py", "needs torchvision", unless_installed="torch"),
    Rule("transformers/models/*/convert_*.py", "scripts that convert checkpoints of other libraries"),
    Rule(
        "google/cloud/*/services/*/transports/rest_asyncio.py",
        "a second way to call Google asynchronously, which the clients do without; HELM waits for answers",
    ),
    Rule("litellm/proxy/_experimental/out", "web pages of a server that DSPy does not start"),
    Rule("litellm/proxy/swagger", "web pages of a server that DSPy does not start"),
    Rule("**/*.pyx", "sources of compiled modules"),
    Rule("**/*.c", "sources of compiled modules"),
    Rule("**/*.cpp", "sources of compiled modules"),
    Rule("**/*.hpp", "sources of compiled modules"),
    Rule("**/*.h", "sources of compiled modules"),
    Rule("**/*.pxd", "sources of compiled modules"),
    Rule("**/*.pxi", "sources of compiled modules"),
    # librosa and scikit-image read __init__.pyi to find their own functions: https://scientific-python.org/specs/spec-0001/
    Rule("**/*.pyi", "types for editors", keep=("__init__.pyi",)),
)

# Gigabytes of GPU code; their makers have stripped them.
NOT_STRIPPED = ("nvidia", "torch", "tensorflow")


def selected(site_packages: Path, rule: Rule) -> Iterator[Path]:
    """Paths that a rule removes."""
    if rule.unless_installed and (site_packages / rule.unless_installed).exists():
        return
    for path in sorted(site_packages.glob(rule.pattern)):
        if not any(fnmatch.fnmatch(path.name, kept) for kept in rule.keep):
            yield path


def remove(site_packages: Path) -> int:
    """Apply all rules; returns how many bytes are gone."""
    freed = 0
    for rule in RULES:
        for path in selected(site_packages, rule):
            freed += _size(path)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    return freed


def incomplete(site_packages: Path, lock: str) -> list[str]:
    """Packages whose files were removed for want of a package that the lock now brings."""
    wanting = {
        rule.pattern.split("/", 1)[0]
        for rule in RULES
        if rule.unless_installed
        and f"\n{rule.unless_installed}==" in lock
        and not (site_packages / rule.unless_installed).exists()
    }
    return sorted(name for name in wanting if (site_packages / name).exists())


def strip_libraries(site_packages: Path, strip: str = "strip") -> int:
    """Remove symbols that are not needed to load native libraries; returns how many bytes are gone.

    Libraries that auditwheel has patched can come out with segments that the loader refuses
    (https://github.com/pypa/auditwheel/issues/716). So those it put into ``*.libs`` are left
    alone, every other result is checked, and the original stays if in doubt.
    """
    freed = 0
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "stripped"
        for library in sorted(site_packages.rglob("*.so*")):
            grafted = (
                library.parent.name.endswith(".libs") or library.relative_to(site_packages).parts[0] in NOT_STRIPPED
            )
            if grafted or library.is_symlink() or not library.is_file() or not is_loadable(library):
                continue
            subprocess.run([strip, "--strip-unneeded", "-o", stripped, library], check=True)
            gain = library.stat().st_size - stripped.stat().st_size
            if gain > 0 and is_loadable(stripped):
                library.write_bytes(stripped.read_bytes())  # keeps the file's mode
                freed += gain
    return freed


def is_loadable(library: Path) -> bool:
    """Whether a file is a 64-bit little-endian ELF whose segments the loader can map.

    The loader wants file offset and address of a segment equal modulo its alignment:
    https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html
    """
    with library.open("rb") as file:
        header = file.read(_HEADER_SIZE)
        if header[: len(_ELF64)] != _ELF64 or len(header) < _HEADER_SIZE:
            return False
        (table,) = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        file.seek(table)
        segments = file.read(size * count)
    for start in range(0, size * count, size):
        kind, _, offset, address, _, _, _, alignment = struct.unpack_from("<IIQQQQQQ", segments, start)
        if kind == _PT_LOAD and alignment > 1 and (address - offset) % alignment:
            return False
    return True


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def main(arguments: list[str]) -> None:
    """``trim.py ENVIRONMENT`` shrinks one; ``trim.py ENVIRONMENT LOCK`` names what to install again before the lock."""
    (site_packages,) = Path(arguments[0]).glob("lib/python*/site-packages")
    if len(arguments) > 1:
        print(*(f"--reinstall-package={name}" for name in incomplete(site_packages, Path(arguments[1]).read_text())))
        return
    removed, stripped = remove(site_packages), strip_libraries(site_packages)
    print(f"trimmed {site_packages}: {removed / 1e6:.0f} MB of files, {stripped / 1e6:.0f} MB of symbols")


if __name__ == "__main__":
    main(sys.argv[1:])
