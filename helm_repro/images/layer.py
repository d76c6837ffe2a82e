"""Put an environment into an image as a layer that holds no more than what it adds.

An environment may extend another: HELM with PyTorch is HELM without it and 4 GB more.
Both are installed in the build stage, one over the other, and each becomes a layer of
the final image. Invariants:

- ``compile`` writes no bytecode that is there already, so nothing inherited changes,
- bytecode is what Python itself would write, but for :data:`WITHOUT_DOCSTRINGS`,
- ``apply`` makes one tree equal to another and touches only what differs: what a RUN
  of the Dockerfile stores is then the difference, removed files included.

Standard library only: it runs on the image's own Python, before anything else is there.
"""

from __future__ import annotations

import concurrent.futures
import fnmatch
import importlib.util
import py_compile
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

# Of 400 architectures a run loads the tokenizers of one or two, in milliseconds; all others' bytecode is 16 MB.
NOT_COMPILED = ("*/transformers/models/*/*.py",)
COMPILED = ("*/transformers/models/auto/*.py",)
# Google's clients of every method of Vertex AI, twice: generated, half text, and without a single assert.
WITHOUT_DOCSTRINGS = ("*/google/cloud/aiplatform_v1/*.py", "*/google/cloud/aiplatform_v1beta1/*.py")


def uncompiled(tree: Path) -> Iterator[Path]:
    """Modules without bytecode, or with bytecode older than they are."""
    for source in sorted(tree.rglob("*.py")):
        if _matches(source, NOT_COMPILED) and not _matches(source, COMPILED):
            continue
        compiled = Path(importlib.util.cache_from_source(str(source)))
        if not compiled.is_file() or compiled.stat().st_mtime_ns < source.stat().st_mtime_ns:
            yield source


def compile_module(source: Path) -> None:
    """Compile one module; templates and Python 2 that packages carry along are left as they are.

    "unchecked-hash" makes bytecode independent of file times (https://peps.python.org/pep-0552/)
    and saves a stat call for each import.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(
        str(source),
        cfile=importlib.util.cache_from_source(str(source)),
        optimize=2 if _matches(source, WITHOUT_DOCSTRINGS) else -1,
        invalidation_mode=mode,
        quiet=2,
    )


def compile_tree(tree: Path) -> int:
    """Compile what is not; returns how many modules that were."""
    modules = list(uncompiled(tree))
    with concurrent.futures.ProcessPoolExecutor() as pool:
        list(pool.map(compile_module, modules, chunksize=64))
    return len(modules)


def _matches(path: Path, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(path.as_posix(), pattern) for pattern in patterns)


def apply(source: Path, target: Path) -> tuple[int, int]:
    """Make ``target`` equal to ``source``; returns how many files were written and removed."""
    wanted, found = _content(source), _content(target)
    surplus = sorted(found.keys() - wanted.keys(), reverse=True)  # what is in a folder before the folder
    for name in surplus:
        (target / name).rmdir() if found[name] is None else (target / name).unlink()
    changed = sorted(name for name, seen in wanted.items() if name not in found or found[name] != seen)
    for name in changed:
        if wanted[name] is None:
            (target / name).mkdir(parents=True)
        else:
            (target / name).unlink(missing_ok=True)
            shutil.copy2(source / name, target / name, follow_symlinks=False)
    return len(changed), len(surplus)


def _content(tree: Path) -> dict[str, Optional[tuple[int, int, int]]]:
    """Relative path -> what tells two versions of a file apart; None for a folder."""
    found: dict[str, Optional[tuple[int, int, int]]] = {}
    for path in tree.rglob("*"):
        status = path.lstat()
        is_folder = stat.S_ISDIR(status.st_mode)
        seen = None if is_folder else (status.st_mode, status.st_size, status.st_mtime_ns)
        found[path.relative_to(tree).as_posix()] = seen
    return found


def main(arguments: list[str]) -> None:
    """``layer.py compile TREE`` or ``layer.py apply SOURCE TARGET``."""
    verb, *paths = arguments
    if verb == "compile":
        print(f"compiled {compile_tree(Path(paths[0]))} modules")
    elif verb == "apply":
        target = Path(paths[1])
        target.mkdir(parents=True, exist_ok=True)
        written, removed = apply(Path(paths[0]), target)
        print(f"{target}: {written} files written, {removed} removed")
    else:
        raise SystemExit(f"{verb}: unknown, allowed: compile, apply")


if __name__ == "__main__":
    main(sys.argv[1:])
