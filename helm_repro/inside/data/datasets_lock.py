"""``datasets.lock``: what data a cache holds, where it came from, and whether it is still that.

HELM checks no download ("Assume it's all good", ``ensure_file_downloaded``), and a dataset
that changed upstream gives another score under the same name. ``warm`` records size,
SHA-256, source and revision of every file; a later run says which files differ.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.errors import InsideError
from helm_repro.inside.system.files import write_json

FILE_NAME = "datasets.lock"
SCHEMA_VERSION = 1
# Below the data directory. The request cache beside them (*.sqlite) is answers, not data.
FOLDERS = (
    "benchmark_output/scenarios",
    "benchmark_output/scenario_instances",
    "prod_env/cache/huggingface",
    "prod_env/cache/nltk",
    "prod_env/cache/tiktoken",
    "prod_env/cache/python",
    "prod_env/cache/metrics",
)
_PASSING = re.compile(r"\.(lock|tmp|incomplete|pyc)$|/\.locks/|/\.no_exist/|/xet/")
# huggingface_hub's layout: <kind>s--<organization>--<name>/snapshots/<commit>/… and blobs/<etag>.
_HUB = re.compile(r"(?P<kind>models|datasets|spaces)--(?P<name>[^/]+)/(?:snapshots/(?P<commit>[0-9a-f]{40})/)?")


def path_of(prod_env: Path) -> Path:
    return prod_env / FILE_NAME


def write(data_dir: Path, prod_env: Path, downloads: Mapping[str, str]) -> dict[str, Any]:
    """Record every file of the cache.

    Args:
        downloads: file or folder -> the address it was downloaded from. What an earlier lock says of a file that
            is still the same is kept.

    Raises:
        OSError: a file cannot be read, or the lock not be written.
    """
    known = {entry["path"]: entry for entry in (read(prod_env) or {"files": []})["files"]}
    paths = list(_files(data_dir))
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(_sha256, paths))
    entries = []
    for path, digest in zip(paths, digests, strict=True):
        name = str(path.relative_to(data_dir))
        entry: dict[str, Any] = {
            "path": name,
            "size": path.stat().st_size,
            "sha256": digest,
            "mtime_ns": path.stat().st_mtime_ns,
            **_source(path, data_dir, downloads),
        }
        before = known.get(name, {})
        if before.get("sha256") == digest and entry["source"] is None:
            entry |= {"source": before.get("source"), "revision": before.get("revision")}
        entries.append(entry)
    record = {"schema_version": SCHEMA_VERSION, "files": entries}
    write_json(path_of(prod_env), record)
    return record


def read(prod_env: Path) -> Optional[dict[str, Any]]:
    """The lock, or ``None`` if there is none.

    Raises:
        InsideError: it cannot be understood.
    """
    path = path_of(prod_env)
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        if record["schema_version"] != SCHEMA_VERSION:
            raise ValueError("written by another version")
        for entry in record["files"]:
            entry["path"], entry["size"], entry["sha256"], entry["mtime_ns"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InsideError(f"{path}: cannot be read ({error}); remove it or run warm again") from error
    return record


def differing(data_dir: Path, prod_env: Path) -> list[str]:
    """Files of the lock that are missing or other bytes now, each with what differs.

    A file whose size and time of change are those recorded is taken as unchanged.

    Raises:
        InsideError: the lock cannot be understood.
    """
    return [
        f"{entry['path']}: {problem}"
        for entry in (read(prod_env) or {"files": []})["files"]
        if (problem := _difference(data_dir / entry["path"], entry))
    ]


def summary(data_dir: Path, prod_env: Path) -> Optional[dict[str, Any]]:
    """For the receipt: the lock's digest and what differs from it; ``None`` without a lock."""
    path = path_of(prod_env)
    if not path.is_file():
        return None
    return {"lock_sha256": _sha256(path), "differing": differing(data_dir, prod_env)}


def _difference(path: Path, entry: Mapping[str, Any]) -> Optional[str]:
    try:
        state = path.stat()
    except OSError:
        return "is missing"
    if state.st_size != entry["size"]:
        return f"{state.st_size} bytes, {entry['size']} when it was fetched"
    if state.st_mtime_ns != entry["mtime_ns"] and _sha256(path) != entry["sha256"]:
        return "other content than when it was fetched"
    return None


def _files(data_dir: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((data_dir / folder).rglob("*")):
            # Links of the hub's cache point to blobs, which are listed themselves.
            if path.is_file() and not path.is_symlink() and not _PASSING.search(str(path)):
                yield path


def _source(path: Path, data_dir: Path, downloads: Mapping[str, str]) -> dict[str, Optional[str]]:
    for folder in (path, *path.parents):
        if folder == data_dir:
            break
        if url := downloads.get(str(folder)):
            return {"source": url, "revision": None}
    if found := _HUB.search(f"{path}/"):
        kind = "" if found["kind"] == "models" else f"{found['kind']}/"
        source = f"https://huggingface.co/{kind}{found['name'].replace('--', '/')}"
        return {"source": source, "revision": found["commit"] or _only_commit(path, found["name"])}
    if "/cache/nltk/" in str(path):
        return {"source": "https://github.com/nltk/nltk_data", "revision": None}
    return {"source": None, "revision": None}


def _only_commit(path: Path, name: str) -> Optional[str]:
    """The commit a blob belongs to, if the cache holds one commit of the repository."""
    root = next((parent for parent in path.parents if parent.name.endswith(f"--{name}")), None)
    commits: Sequence[Path] = sorted((root / "snapshots").iterdir()) if root and (root / "snapshots").is_dir() else []
    return commits[0].name if len(commits) == 1 else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
