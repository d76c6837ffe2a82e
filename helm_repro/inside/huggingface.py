"""Placeholder while being written."""

from __future__ import annotations

import dataclasses

from helm_repro.inside import registration


@dataclasses.dataclass(frozen=True)
class LocalModel:
    path: str


def model(local: LocalModel, name: str, helm_version: str) -> registration.Model:
    raise NotImplementedError
