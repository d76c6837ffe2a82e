"""``receipt.json``: what was run, with what, and how it went. The paper trail of a score.

Schema version 1 (documented in docs/receipt.md). Written at the end of every
invocation, also of one that failed or was stopped; never holds a secret.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from helm_repro.inside.data import datasets_lock
from helm_repro.inside.inputs.credentials import Credentials
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.models import own_models
from helm_repro.inside.suite import shard_receipts
from helm_repro.inside.suite.journal import Journal
from helm_repro.inside.system.files import write_json
from helm_repro.inside.variables import VARIABLES

FILE_NAME = "receipt.json"
SCHEMA_VERSION = 1
IMAGE_VARIABLE = "HELM_REPRO_IMAGE"

# Packages whose version has moved results before.
_PACKAGES = ("crfm-helm", "datasets", "nltk", "numpy", "openai", "pandas", "torch", "transformers", "unitxt")


def write_receipt(
    settings: Settings,
    environ: Mapping[str, str],
    credentials: Credentials,
    plan: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    partial: Sequence[str],
    exit_code: int,
) -> None:
    """Write the suite's receipt.

    Args:
        runs: per run ``{"name", "status", "attempts", "seconds", "requests", "anomalies", …}``.
        partial: reasons for which the suite is not the whole leaderboard; empty if it is.

    Raises:
        OSError: it could not be written.
    """
    record = {
        "schema_version": SCHEMA_VERSION,
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "exit_code": int(exit_code),
        "image": environ.get(IMAGE_VARIABLE) or None,
        "leaderboard": settings.board.id,
        "helm_version": settings.board.environment["helm_version"],
        "helm_commit": settings.board.environment["helm_commit"],
        "digests": dict(settings.board.digests),
        "variables": variables(settings, environ),
        "credentials": credentials.names(),
        "models": list(settings.models),
        "own_models": own_models.facts(settings),
        "datasets": datasets_lock.summary(settings.data_dir, settings.prod_env),
        "judges": list(settings.board.leaderboard.get("judges", [])),
        "plan_sha256": plan_digest(plan),
        "complete": sum(run["status"] == "complete" for run in runs),
        "planned": len(plan["run_specs"]) + len(plan["failed"]),
        "partial": list(partial),
        "runs": list(runs),
        "stages": [
            {key: event[key] for key in ("stage", "status", "seconds")}
            for event in Journal(settings.suite_path).read()
            if event["event"] == "stage"
        ],
        "python": platform.python_version(),
        "packages": _versions(),
    }
    text = credentials.redact(json.dumps(record))
    path = settings.suite_path / settings.part_file(FILE_NAME)
    if not settings.shard.is_whole:
        shard_receipts.keep_other_models(path, settings.models)
    write_json(path, json.loads(text))


def variables(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Every variable as resolved: given, from the board, or our default. Secrets are not among them."""
    resolved = {}
    for variable in VARIABLES:
        if variable.secret:
            if environ.get(variable.name):
                resolved[variable.name] = "[redacted]"
            continue
        default = settings.board.leaderboard[variable.board] if variable.board else variable.default
        value = environ.get(variable.name, "").strip() or default
        if value is not None:
            resolved[variable.name] = str(value)
    return resolved


def plan_digest(plan: Mapping[str, Any]) -> str:
    """SHA-256 of the plan's run specs, in order: equal plans evaluate the same."""
    specs = [spec["run_spec"] for spec in plan.get("run_specs", [])]
    return hashlib.sha256(json.dumps(specs, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def image_reference(environ: Mapping[str, str] = os.environ) -> str | None:
    """The image reference that the starter of this container passed on, if any."""
    return environ.get(IMAGE_VARIABLE) or None
