"""Lets HELM read its YAML files in no time when it calls ``yaml.safe_load``.

HELM reads 24,000 lines of model and tokenizer configuration at the start of each command
(helm/benchmark/config_registry.py): about 2 s with PyYAML's parser in Python, 0.2 s with libyaml, which
PyYAML's documentation recommends, and nothing where the process that commands are forked from
has parsed them. All give the same objects.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import os
import pickle
from collections.abc import Callable
from typing import Any

import yaml

from helm_repro.inside.system.parent_death import die_with

_parse = yaml.safe_load
_parsed: dict[str, bytes] = {}


def use_libyaml() -> None:
    """Make ``yaml.safe_load`` use the C parser, if PyYAML was built with it, and what was parsed ahead."""
    if yaml.__with_libyaml__:
        # safe_load looks the name up in its module on each call (yaml/__init__.py, PyYAML 6).
        yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[misc,assignment]
    yaml.safe_load = _safe_load


def parse_ahead() -> Callable[[], None]:
    """Begin to parse HELM's own configuration, in a fork, for all processes forked from this one later.

    Returns:
        Call it to wait for the end, before the first such process.
    """
    read_end, write_end = os.pipe()
    own = os.getpid()
    child = os.fork()
    if child == 0:
        die_with(own)
        try:
            with os.fdopen(write_end, "wb") as pipe:
                pickle.dump(_configuration(), pipe)
        finally:
            os._exit(0)
    os.close(write_end)

    def wait() -> None:
        with os.fdopen(read_end, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        with contextlib.suppress(EOFError, pickle.UnpicklingError):  # it died; then HELM parses for itself
            _parsed.update(pickle.loads(answer))

    return wait


def _configuration() -> dict[str, bytes]:
    """Text of each of HELM's files -> what it holds, pickled."""
    files = (importlib.resources.files("helm") / "config").iterdir()
    texts = [file.read_text(encoding="utf-8") for file in files if file.name.endswith(".yaml")]
    return {text: pickle.dumps(_parse(text)) for text in texts}


def _safe_load(stream: Any) -> Any:
    text = stream.read() if hasattr(stream, "read") else stream
    kept = _parsed.get(text)
    return _parse(text) if kept is None else pickle.loads(kept)
