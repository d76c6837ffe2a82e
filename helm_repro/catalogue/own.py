"""A leaderboard of your own, from a conf and a schema in HELM's formats.

The entries are written in the compact notation: neighbours that differ in one argument
become one block. What is written is read back and must be the conf, entry by entry.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import yaml
from pydantic import ValidationError

from helm_repro.catalogue.load import Catalogue
from helm_repro.catalogue.models import Leaderboard
from helm_repro.catalogue.notation import Entries, RunEntry
from helm_repro.catalogue.render import entries_sha256
from helm_repro.catalogue.upstream import read_conf
from helm_repro.errors import ConfigurationError

# What helm-summarize needs of a schema (helm/benchmark/presentation/schema.py, read_schema and Summarizer).
_SCHEMA_LISTS = ("metric_groups", "run_groups")


def create(catalogue: Catalogue, identifier: str, conf: Path, schema: Path, facts: Mapping[str, Any]) -> Path:
    """Write ``leaderboards/<identifier>``.

    Args:
        facts: further fields of leaderboard.yaml (title, environment, limits).

    Returns:
        The new folder.

    Raises:
        ConfigurationError: naming the file, field and value that are wrong; nothing is left behind.
    """
    folder = catalogue.root / "leaderboards" / identifier
    if folder.exists():
        raise ConfigurationError(f"ID={identifier}: {folder} exists already")
    if facts["environment"] not in catalogue.environments:
        allowed = ", ".join(catalogue.environments)
        raise ConfigurationError(f"--environment {facts['environment']}: unknown, allowed: {allowed}")
    entries = read_conf(_content(conf), str(conf))
    notation = compact(entries)
    if Entries.model_validate(notation).expand() != entries:
        raise ConfigurationError(f"{conf}: cannot be written in the catalogue's notation")
    check_schema(schema, [group for entry in entries for group in entry.groups or ()])
    record = {
        "id": identifier,
        "conf": conf.name,
        "schema": schema.name,
        **facts,
        "entries_sha256": entries_sha256(entries),
        "schema_sha256": hashlib.sha256(_content(schema)).hexdigest(),
        "status": "undocumented",
    }
    try:
        Leaderboard.model_validate(record)
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['input']!r:.80}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError("\n".join(lines)) from error
    folder.mkdir()
    shutil.copyfile(schema, folder / schema.name)
    _dump(folder / "leaderboard.yaml", record)
    _dump(folder / "entries.yaml", notation)
    return folder


def compact(entries: Sequence[RunEntry]) -> dict[str, Any]:
    """The entries in the notation of ``entries.yaml``."""
    blocks: list[dict[str, Any]] = []
    start = 0
    while start < len(entries):
        end, name = _stretch(entries, start)
        blocks.append(_block(entries[start:end], name))
        start = end
    return {"entries": blocks}


def _stretch(entries: Sequence[RunEntry], start: int) -> tuple[int, Optional[str]]:
    """The end of the longest run of entries from ``start`` that differ in one argument, and its name."""
    end, name = start + 1, None
    while end < len(entries):
        differing = _difference(entries[start], entries[end])
        if differing is None or name not in (None, differing):
            break
        name = differing
        end += 1
    return end, name


def _difference(one: RunEntry, other: RunEntry) -> Optional[str]:
    """The only argument in which two entries differ; ``None`` if there is not exactly one."""
    if (one.priority, one.groups) != (other.priority, other.groups):
        return None
    (function, mine), (other_function, theirs) = _split(one.description), _split(other.description)
    if function != other_function or [key for key, _ in mine] != [key for key, _ in theirs]:
        return None
    differing = [key for (key, value), (_, their) in zip(mine, theirs, strict=True) if value != their]
    return differing[0] if len(differing) == 1 and re.fullmatch(r"[a-z][a-z0-9_]*", differing[0]) else None


def _split(description: str) -> tuple[str, list[tuple[str, str]]]:
    function, _, text = description.partition(":")
    pairs = [argument.partition("=") for argument in text.split(",")] if text else []
    return function, [(key, value) for key, _, value in pairs]


def _block(entries: Sequence[RunEntry], name: Optional[str]) -> dict[str, Any]:
    first = entries[0]
    function, arguments = _split(first.description)
    if name is None:
        block: dict[str, Any] = {"run": _literal(first.description)}
    else:
        parts = [f"{_literal(key)}={{{name}}}" if key == name else _literal(f"{key}={v}") for key, v in arguments]
        block = {"run": f"{_literal(function)}:{','.join(parts)}"}
    if first.priority is not None:
        block["priority"] = first.priority
    if first.groups is not None:
        block["groups"] = [_literal(group) for group in first.groups]
    if name is not None:
        block["over"] = {name: [dict(_split(entry.description)[1])[name] for entry in entries]}
    return block


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def check_schema(path: Path, groups: Sequence[str] = ()) -> None:
    """Check a schema as far as that is possible without HELM.

    Args:
        groups: groups that entries add to their runs; they must be in the schema to be shown.

    Raises:
        ConfigurationError: naming the field that is wrong.
    """
    try:
        schema = yaml.safe_load(_content(path))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(schema, dict):
        raise ConfigurationError(f"{path}: must be a mapping with {' and '.join(_SCHEMA_LISTS)}")
    names: dict[str, list[str]] = {}
    for field in _SCHEMA_LISTS:
        items = schema.get(field)
        if not isinstance(items, list) or not items:
            raise ConfigurationError(f"{path}: {field}: must be a list with at least one item")
        if bad := next((item for item in items if not isinstance(item, dict) or "name" not in item), None):
            raise ConfigurationError(f"{path}: {field}: {bad!r:.60}: has no name")
        names[field] = [item["name"] for item in items]
    for group in schema["run_groups"]:
        for field, known in (("subgroups", "run_groups"), ("metric_groups", "metric_groups")):
            for name in group.get(field) or []:
                if name not in names[known]:
                    raise ConfigurationError(f"{path}: run_groups: {group['name']}: {field}: {name}: not in {known}")
    if unknown := next((name for name in groups if name not in names["run_groups"]), None):
        raise ConfigurationError(f"{path}: run_groups: lacks {unknown}, which an entry names")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error


def _dump(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")
