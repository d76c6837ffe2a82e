"""What a suite was started with (``suite.json``), and whether this run may continue it.

HELM's ``--skip-completed-runs`` looks only at names, and a run's name says nothing of
limits: a trial with 10 instances would pass as the 1000-instance result. So the
parameters are recorded at the start, and a run with others is refused.

Models are recorded but may differ from run to run: each run's name holds its model, and
putting several models side by side in one suite is how HELM's tables are made.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from helm_repro.inside.errors import VariableError
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.system.files import write_json
from helm_repro.inside.system.locks import byte_lock

FILE_NAME = "suite.json"
SCHEMA_VERSION = 1

# Field -> the variable a user would set to choose another value.
_VARIABLES = {
    "leaderboard": "LEADERBOARD",
    "helm_version": "LEADERBOARD",
    "lock_sha256": "LEADERBOARD",
    "entries_sha256": "RUN_ENTRIES_CONF_PATH",
    "schema_sha256": "SCHEMA_PATH",
    "max_eval_instances": "MAX_EVAL_INSTANCES",
    "num_train_trials": "NUM_TRAIN_TRIALS",
    "priority": "PRIORITY",
    "model_groups": "MODEL_GROUPS",
    "judge_overrides": "JUDGE_OVERRIDES",
}


def identity(settings: Settings) -> dict[str, Any]:
    """The fields that must stay the same for the life of a suite."""
    return {
        "leaderboard": settings.board.id,
        "helm_version": settings.board.environment["helm_version"],
        "lock_sha256": settings.board.digests["lock"],
        "entries_sha256": hashlib.sha256(settings.conf_path.read_bytes()).hexdigest(),
        "schema_sha256": hashlib.sha256(settings.schema_path.read_bytes()).hexdigest(),
        "max_eval_instances": settings.max_eval_instances,
        "num_train_trials": settings.num_train_trials,
        "priority": settings.priority,
        "model_groups": settings.model_groups,
        "judge_overrides": dict(settings.judge_overrides) or None,
    }


def check(settings: Settings) -> None:
    """Refuse a suite that :func:`claim` would refuse, before anything is written for it.

    Raises:
        VariableError: as :func:`claim`.
    """
    _continued(settings)


def claim(settings: Settings) -> None:
    """Record the suite's identity, or check that it is the recorded one.

    Raises:
        VariableError: a field differs and ``RESUME`` is not ``force``; it names the first such field.
    """
    # Shards with other models may start at the same moment.
    with byte_lock(settings.suite_path, FILE_NAME):
        record = _continued(settings)
        record["models"] = sorted({*record["models"], *settings.models})
        write_json(settings.suite_path / FILE_NAME, record)


def _continued(settings: Settings) -> dict[str, Any]:
    """The suite's record as this invocation goes on with it."""
    path = settings.suite_path / FILE_NAME
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    mine = identity(settings)
    record = read(path)
    if record is None:
        if settings.resume != "force" and (run := any_run(settings.suite_path)):
            raise VariableError(
                "SUITE_NAME",
                settings.suite,
                f"holds {run}, whose parameters were not recorded; choose another name or set RESUME=force",
            )
        record = {"schema_version": SCHEMA_VERSION, "created": now, "identity": mine, "models": [], "forced": []}
    elif (differing := differences(record["identity"], mine)) and any_run(settings.suite_path):
        field, then, this = differing[0]
        if settings.resume != "force":
            raise VariableError(
                _VARIABLES[field],
                this,
                f"suite {settings.suite} was started with {field}={then}; "
                "use another SUITE_NAME, or RESUME=new-suite, or RESUME=force",
            )
        record["forced"].append({"time": now, "from": record["identity"], "to": mine})
    record["identity"] = mine
    return record


def free_suite_name(settings: Settings) -> str:
    """For ``RESUME=new-suite``: the suite's name if its identity fits, else the first of ``name-2``, ``name-3``, …"""
    mine, runs = identity(settings), settings.output_path / "runs"
    return next(name for name in numbered_names(settings.suite) if _is_free(runs / name, mine))


def _is_free(suite_path: Path, mine: Mapping[str, Any]) -> bool:
    record = read(suite_path / FILE_NAME)
    return not any_run(suite_path) if record is None else not differences(record["identity"], mine)


def numbered_names(name: str) -> Iterator[str]:
    """``name``, ``name-2``, ``name-3``, …"""
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """``(field, then, now)`` for each field that differs, in the order of importance to a user."""
    order = ["max_eval_instances", "num_train_trials", "priority", *_VARIABLES]
    fields = dict.fromkeys(field for field in order if field in then or field in now)
    return [(field, then.get(field), now.get(field)) for field in fields if then.get(field) != now.get(field)]


def read(path: Path) -> dict[str, Any] | None:
    """The record, or ``None`` if there is none (or none that is whole: it is written atomically)."""
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record


def any_run(suite_path: Path) -> str | None:
    """Name of a run that has written results, if there is one."""
    return next((path.parent.name for path in sorted(suite_path.glob("*/run_spec.json"))), None)
