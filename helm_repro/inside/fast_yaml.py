"""Lets PyYAML parse with libyaml, as its documentation recommends, when HELM calls ``yaml.safe_load``.

HELM reads 24,000 lines of model and tokenizer configuration at the start of each command
(helm/benchmark/config_registry.py): about 2 s with the parser in Python, 0.2 s with libyaml.
Both give the same objects.
"""

from __future__ import annotations

import yaml


def use_libyaml() -> None:
    """Make ``yaml.safe_load`` use the C parser, if PyYAML was built with it."""
    if yaml.__with_libyaml__:
        # safe_load looks the name up in its module on each call (yaml/__init__.py, PyYAML 6).
        yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[misc,assignment]
