"""``extends: <environment>`` in environment.yaml: a base environment plus what this one adds.

Lists are the base's followed by one's own; a requirement for a package that the base
names too replaces the base's. Everything else of one's own wins. ``extends`` itself
stays in the record: locks and image layers build on those of the base, too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from helm_repro.errors import ConfigurationError

_PACKAGE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def inherit(path: Path, raw: Any) -> Any:
    """Merge the file's record with that of the environment it extends, if any.

    Raises:
        ConfigurationError: there is no such environment.
    """
    if not isinstance(raw, dict) or "extends" not in raw:
        return raw
    own = dict(raw)
    base_name = own["extends"]
    base_path = path.parents[1] / str(base_name) / "environment.yaml"
    if not base_path.is_file():
        raise ConfigurationError(f"{path}: extends: {base_name!r}: no such environment")
    base = inherit(base_path, yaml.safe_load(base_path.read_text(encoding="utf-8")))
    merged = {**base, **own}
    for field, value in own.items():
        if isinstance(value, list) and isinstance(base.get(field), list):
            replaced = {_package(item) for item in value}
            merged[field] = [*(item for item in base[field] if _package(item) not in replaced), *value]
    return merged


def _package(requirement: object) -> str:
    matched = _PACKAGE.match(str(requirement))
    return re.sub(r"[-_.]+", "-", matched[0]).lower() if matched else str(requirement)
