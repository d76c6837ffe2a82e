"""Put an environment into an image as a layer that holds no more than what it adds.

An environment may extend another: HELM with PyTorch is HELM without it and 4 GB more.
Both are installed in the build stage, one over the other, and each becomes a layer of
the final image. Invariants:

- ``compile`` writes no bytecode that is there already, so nothing inherited changes,
- ``apply`` makes one tree equal to another and touches only what differs: what a RUN
  of the Dockerfile stores is then the difference, removed files included.

Standard library only: it runs on the image's own Python, before anything else is there.
"""

from __future__ import annotations

import concurrent.futures
import importlib.util
import os
import py_compile
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

Seen = tuple[int, int, int]


def uncompiled(tree: Path) -> Iterator[Path]:
    """Modules without bytecode, or with bytecode older than they are."""
    for source in sorted(tree.rglob("*.py")):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        if not compiled.is_file() or compiled.stat().st_mtime_ns < source.stat().st_mtime_ns:
            yield source


def compile_module(source: Path) -> None:
    """Compile one module; templates and Python 2 that packages carry along are left as they are.

    "unchecked-hash" makes bytecode independent of file times (https://peps.python.org/pep-0552/)
    and saves a stat call for each import.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), invalidation_mode=mode, quiet=2)


def compile_tree(tree: Path) -> int:
    """Compile what is not; returns how many modules that were."""
    modules = list(uncompiled(tree))
    with concurrent.futures.ProcessPoolExecutor() as pool:
        list(pool.map(compile_module, modules, chunksize=64))
    return len(modules)


def apply(source: Path, target: Path) -> tuple[int, int]:
    """Make ``target`` equal to ``source``; returns how many files were written and removed."""
    wanted, found = _files(source), _files(target)
    for folder, folders, _ in os.walk(source):
        for name in folders:
            if not os.path.islink(os.path.join(folder, name)):
                (target / os.path.relpath(folder, source) / name).mkdir(parents=True, exist_ok=True)
    surplus = sorted(found.keys() - wanted.keys())
    for name in surplus:
        (target / name).unlink()
    for folder, _, _ in os.walk(target, topdown=False):
        if not os.path.isdir(source / os.path.relpath(folder, target)):
            os.rmdir(folder)
    changed = sorted(name for name, seen in wanted.items() if found.get(name) != seen)
    for name in changed:
        (target / name).unlink(missing_ok=True)
        shutil.copy2(source / name, target / name, follow_symlinks=False)
    return len(changed), len(surplus)


def _files(tree: Path) -> dict[str, Seen]:
    """Relative path -> what tells two versions of a file apart, for everything that is not a folder."""
    found = {}
    for folder, folders, names in os.walk(tree):
        for name in [*names, *(name for name in folders if os.path.islink(os.path.join(folder, name)))]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            found[os.path.relpath(path, tree)] = (status.st_mode, status.st_size, status.st_mtime_ns)
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
