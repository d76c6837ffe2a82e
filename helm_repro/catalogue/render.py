"""Catalogue to files: HELM's conf, the digests, and a board directory.

The digest proves the conf: SHA-256 over one line per entry,
``json.dumps([description, priority, groups])`` without spaces, in file order.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from helm_repro.catalogue.load import Catalogue
from helm_repro.catalogue.models import Leaderboard
from helm_repro.catalogue.notation import RunEntry
from helm_repro.errors import ConfigurationError


def entries_sha256(entries: Iterable[RunEntry]) -> str:
    """Digest of run entries: equal if and only if descriptions, priorities, groups and order are."""
    digest = hashlib.sha256()
    for entry in entries:
        fields = [entry.description, entry.priority, None if entry.groups is None else list(entry.groups)]
        digest.update((json.dumps(fields, separators=(",", ":"), ensure_ascii=False) + "\n").encode())
    return digest.hexdigest()


def conf_text(entries: Iterable[RunEntry]) -> str:
    """Run entries as the HOCON file that ``helm-run --conf-paths`` reads, an entry per line.

    It is JSON, which is HOCON, too, and read in no time (see ``inside/plan/conf.py``).
    """
    lines = []
    for entry in entries:
        fields: dict[str, object] = {"description": entry.description}
        if entry.priority is not None:
            fields["priority"] = entry.priority
        if entry.groups is not None:
            fields["groups"] = list(entry.groups)
        lines.append("  " + json.dumps(fields, ensure_ascii=False))
    return '{"entries": [\n' + ",\n".join(lines) + "\n]}\n"


def lock_path(catalogue: Catalogue, leaderboard: Leaderboard) -> Path:
    """The lock file of the leaderboard's environment."""
    return catalogue.root / "images" / leaderboard.environment / "requirements.lock"


def write_board(catalogue: Catalogue, leaderboard: Leaderboard, directory: Path) -> Path:
    """Write the board directory of an image or a local run: ``board.json``, the conf, our own schema if any.

    Output is the same, byte by byte, for the same catalogue.

    Raises:
        ConfigurationError: the entries do not have the digest that leaderboard.yaml states.
    """
    entries = catalogue.entries(leaderboard)
    found = entries_sha256(entries)
    if found != leaderboard.entries_sha256:
        raise ConfigurationError(
            f"leaderboards/{leaderboard.id}/leaderboard.yaml: entries_sha256: {leaderboard.entries_sha256}: "
            f"entries.yaml gives {found}"
        )
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / leaderboard.conf).write_text(conf_text(entries), encoding="utf-8")
    own_schema = catalogue.folder(leaderboard) / leaderboard.schema_
    if own_schema.is_file():
        shutil.copyfile(own_schema, directory / leaderboard.schema_)
    record = {
        "leaderboard": leaderboard.model_dump(mode="json", by_alias=True),
        "environment": catalogue.environment_of(leaderboard).model_dump(mode="json"),
        "digests": {
            "entries": leaderboard.entries_sha256,
            "schema": leaderboard.schema_sha256,
            "lock": hashlib.sha256(lock_path(catalogue, leaderboard).read_bytes()).hexdigest(),
        },
    }
    (directory / "board.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return directory


def inputs_sha256(catalogue: Catalogue, leaderboard: Leaderboard) -> str:
    """Digest of everything that decides what an image holds; the label by which a stale one is known."""
    digest = hashlib.sha256()
    record = leaderboard.model_dump_json() + catalogue.environment_of(leaderboard).model_dump_json()
    digest.update(record.encode())
    for path in _inputs(catalogue, leaderboard):
        digest.update(path.relative_to(catalogue.root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _inputs(catalogue: Catalogue, leaderboard: Leaderboard) -> Iterator[Path]:
    """Files that decide what an image holds, in a fixed order."""
    root, lock, folder = catalogue.root, lock_path(catalogue, leaderboard), catalogue.folder(leaderboard)
    yield from (root / "Dockerfile", root / "entrypoint.py")
    yield from sorted((root / "helm_repro" / "inside").rglob("*.py"))
    yield from (root / "helm_repro" / "images" / name for name in ("layer.py", "trim.py"))
    yield from (root / "images" / name for name in ("build-environment.sh", "uv.txt"))
    yield from (lock, lock.with_name("build-constraints.txt"), folder / "entries.yaml")
    own_schema = folder / leaderboard.schema_
    if own_schema.is_file():
        yield own_schema
