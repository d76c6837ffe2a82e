"""Lets HELM read its YAML files in no time when it calls ``yaml.safe_load``.

HELM reads 24,000 lines of model and tokenizer configuration at the start of each command
(helm/benchmark/config_registry.py): about 2 s with PyYAML's parser in Python, 0.2 s with libyaml, which
PyYAML's documentation recommends, and nothing where the process that commands are forked from
has parsed them. All give the same objects.
"""

from __future__ import annotations

import importlib.resources
import pickle
from typing import Any

import yaml

_parse = yaml.safe_load
_parsed: dict[str, bytes] = {}


def use_libyaml() -> None:
    """Make ``yaml.safe_load`` use the C parser, if PyYAML was built with it, and what was parsed ahead."""
    if yaml.__with_libyaml__:
        # safe_load looks the name up in its module on each call (yaml/__init__.py, PyYAML 6).
        yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[misc,assignment]
    yaml.safe_load = _safe_load


def parse_ahead() -> None:
    """Parse HELM's own configuration now, for all processes forked from this one."""
    for file in (importlib.resources.files("helm") / "config").iterdir():
        if file.name.endswith(".yaml"):
            text = file.read_text(encoding="utf-8")
            _parsed[text] = pickle.dumps(_parse(text))


def _safe_load(stream: Any) -> Any:
    text = stream.read() if hasattr(stream, "read") else stream
    kept = _parsed.get(text)
    return _parse(text) if kept is None else pickle.loads(kept)
