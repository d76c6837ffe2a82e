"""Environment variables become typed settings, or one clear line.

Invariant: a value that is not understood is never replaced by a default.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from helm_repro.inside.deployments.endpoint import Endpoint, read_endpoint
from helm_repro.inside.deployments.huggingface import LocalModel, default_name, read_local_model
from helm_repro.inside.deployments.registration import suite_folder, suite_local_path
from helm_repro.inside.errors import VariableError
from helm_repro.inside.inputs.board import Board
from helm_repro.inside.inputs.shard import WHOLE, Shard, read_shard
from helm_repro.inside.variables import BY_NAME, STAGES

# One path component that no shell, URL or file system gives a second meaning.
_SUITE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
_MODEL_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:@+-]*(/[A-Za-z0-9][A-Za-z0-9._:@+-]*)+$")
_LARGEST = 2**31 - 1
NEW_SUITE = "new-suite"
# Each shard would choose a name for itself, and what follows the shards would look for the suite by the old one.
REFUSED_IN_SHARDS = "shards need one name of the suite; set another SUITE_NAME, allowed: refuse, force"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What was asked for. Paths are absolute; counts are numbers of instances, trials, requests."""

    board: Board
    stages: tuple[str, ...]
    models: tuple[str, ...]
    suite: str
    conf_path: Path
    schema_path: Path
    num_train_trials: int
    max_eval_instances: int
    priority: int
    num_threads: int
    jobs: Optional[int]
    port: int
    server_host: str
    data_dir: Path
    model_groups: str
    include_unavailable: bool
    judge_overrides: Mapping[str, str]
    reasoning_models: Optional[tuple[str, ...]]
    preflight: str
    resume: str
    run_attempts: int
    anomaly_threshold: int
    log_format: str
    shard: Shard = WHOLE
    endpoint: Optional[Endpoint] = None
    local_model: Optional[LocalModel] = None
    offline: bool = False
    request_cache: str = "shared"
    # Where this invocation's models are registered, if not for the suite.
    apart: Optional[str] = None

    @property
    def output_path(self) -> Path:
        return self.data_dir / "benchmark_output"

    @property
    def prod_env(self) -> Path:
        """Where the user's own HELM files and the request cache are."""
        return self.data_dir / "prod_env"

    @property
    def local_path(self) -> Path:
        """HELM's ``--local-path``: prod_env, or :attr:`registration` once there are models of one's own."""
        return suite_local_path(self.prod_env, self.apart or self.suite)

    @property
    def registration(self) -> Path:
        """Where this invocation registers models: for the suite, or apart from it."""
        return suite_folder(self.prod_env, self.apart or self.suite)

    @property
    def suite_path(self) -> Path:
        return self.output_path / "runs" / self.suite

    def part_file(self, name: str) -> str:
        """Name of a file that each invocation on the suite writes for itself (one per shard)."""
        return self.shard.file_name(name)

    def with_suite(self, suite: str) -> Settings:
        """The same settings for another suite."""
        return dataclasses.replace(self, suite=suite)


def read_settings(
    environ: Mapping[str, str], board: Board, stages: Sequence[str] = (), working_directory: Optional[Path] = None
) -> Settings:
    """Check every variable and resolve defaults from the board.

    Args:
        environ: the environment; an empty value counts as unset, as in a compose file.
        stages: stage names given as arguments; they win over ``STAGES``.

    Raises:
        VariableError: naming the variable, its value and what is allowed.
    """
    here = working_directory or Path.cwd()
    source = _Source(environ, board)
    chosen, shard = _stages_and_shard(source, environ, stages)
    resume = source.choice("RESUME")
    if not shard.is_whole and resume == NEW_SUITE:
        raise VariableError("RESUME", resume, REFUSED_IN_SHARDS)
    data_dir = here / source.text("DATA_DIR")
    models = source.models_to_run(required="run" in chosen)
    return Settings(
        board=board,
        stages=chosen,
        models=models,
        suite=source.suite(),
        conf_path=source.conf_path(here),
        schema_path=source.path("SCHEMA_PATH", here),
        num_train_trials=source.count("NUM_TRAIN_TRIALS"),
        max_eval_instances=source.instances(),
        priority=source.count("PRIORITY", most=5),
        num_threads=source.count("NUM_THREADS", most=4096),
        jobs=None if source.text("JOBS") == "auto" else source.count("JOBS", most=256),
        port=source.count("PORT", most=65535),
        server_host=source.text("SERVER_HOST"),
        data_dir=data_dir,
        model_groups=source.choice("MODEL_GROUPS"),
        include_unavailable=source.choice("INCLUDE_UNAVAILABLE") == "1",
        judge_overrides=source.pairs("JUDGE_OVERRIDES"),
        reasoning_models=source.models("REASONING_MODELS"),
        preflight=source.choice("PREFLIGHT"),
        resume=resume,
        run_attempts=source.count("RUN_ATTEMPTS", most=100),
        anomaly_threshold=source.count("ANOMALY_THRESHOLD", most=100),
        log_format=source.choice("LOG_FORMAT"),
        shard=shard,
        endpoint=read_endpoint(source.optional, models),
        local_model=read_local_model(source.optional, models),
        offline=source.choice("OFFLINE") == "1",
        request_cache=source.choice("REQUEST_CACHE"),
    )


def read_stages(environ: Mapping[str, str], board: Board, stages: Sequence[str] = ()) -> tuple[str, ...]:
    """The stages of these settings, whatever else is wrong with them.

    Raises:
        VariableError: as :func:`read_settings`.
    """
    return _stages_and_shard(_Source(environ, board), environ, stages)[0]


def _stages_and_shard(
    source: _Source, environ: Mapping[str, str], stages: Sequence[str]
) -> tuple[tuple[str, ...], Shard]:
    chosen = tuple(stages) or source.words("STAGES")
    for stage in chosen:
        if stage not in STAGES:
            raise VariableError("STAGES", stage, f"unknown stage, allowed: {', '.join(STAGES)}")
    shard = read_shard(environ) if "run" in chosen else WHOLE
    if not shard.is_whole:
        if not stages and source.given("STAGES") is None:
            chosen = ("run",)
        elif set(chosen) != {"run"}:
            raise VariableError(
                "STAGES", ",".join(chosen), f"{shard} can only run; summarize once all shards have ended"
            )
    return tuple(stage for stage in STAGES if stage in chosen), shard


class _Source:
    """Reads single variables; the only place that looks at raw text."""

    def __init__(self, environ: Mapping[str, str], board: Board):
        self._environ = environ
        self._board = board

    def given(self, name: str) -> Optional[str]:
        return self._environ.get(name, "").strip() or None

    def text(self, name: str) -> str:
        variable = BY_NAME[name]
        default = str(self._board.leaderboard[variable.board]) if variable.board else variable.default
        value = self.given(name) or default
        if value is None:
            raise VariableError(name, "", "must be set")
        return _printable(name, value)

    def optional(self, name: str) -> Optional[str]:
        """What was given, without a default."""
        return self.text(name) if self.given(name) else None

    def words(self, name: str) -> tuple[str, ...]:
        """A list; lines and tabs separate too, as in a compose file's block of text."""
        listed = re.sub(r"[,\s]+", " ", self.given(name) or str(BY_NAME[name].default or ""))
        return tuple(_printable(name, listed).split())

    def choice(self, name: str) -> str:
        value = self.text(name)
        if value not in BY_NAME[name].choices:
            raise VariableError(name, value, f"allowed: {', '.join(BY_NAME[name].choices)}")
        return value

    def count(self, name: str, most: int = _LARGEST) -> int:
        return _number(name, self.text(name), most)

    def instances(self) -> int:
        main, alias = self.given("MAX_EVAL_INSTANCES"), self.given("NUM_EVAL_INSTANCES")
        if alias is None:
            return self.count("MAX_EVAL_INSTANCES")
        number = _number("NUM_EVAL_INSTANCES", alias, _LARGEST)
        if main is not None and self.count("MAX_EVAL_INSTANCES") != number:
            raise VariableError(
                "MAX_EVAL_INSTANCES", main, f"differs from NUM_EVAL_INSTANCES={alias}; they mean the same, set one"
            )
        return number

    def pairs(self, name: str) -> dict[str, str]:
        """``a=b,c=d`` as a mapping; empty if unset."""
        pairs = {}
        for word in self.words(name) if self.given(name) else ():
            key, separator, value = word.partition("=")
            if not separator or not _MODEL_NAME.match(key) or not _MODEL_NAME.match(value):
                raise VariableError(name, word, "must be judge=model, as in openai/gpt-4o-2024-05-13=openai/gpt-4o")
            pairs[key] = value
        return pairs

    def models(self, name: str) -> Optional[tuple[str, ...]]:
        """Names of models; ``None`` if unset, and none for the word ``none``."""
        if self.given(name) is None:
            return None
        names = tuple(dict.fromkeys(self.words(name)))
        if names == ("none",) and name != "MODELS_TO_RUN":
            return ()
        for model in names:
            if not _MODEL_NAME.match(model):
                raise VariableError(name, model, "a model is written creator/name, as in openai/gpt-4o-2024-11-20")
        return names

    def models_to_run(self, required: bool) -> tuple[str, ...]:
        names = self.models("MODELS_TO_RUN")
        if names is None and (folder := self.optional("LOCAL_MODEL_PATH")):
            return (default_name(folder),)
        if names is None and required:
            raise VariableError("MODELS_TO_RUN", "", "must name a model, for example openai/gpt-4o-2024-11-20")
        return names or ()

    def suite(self) -> str:
        value = self.text("SUITE_NAME")
        if not _SUITE_NAME.match(value):
            raise VariableError(
                "SUITE_NAME",
                value,
                "must be one name of letters, digits, '.', '_' and '-' (at most 100), starting with a letter or digit",
            )
        return value

    def conf_path(self, here: Path) -> Path:
        """RUN_ENTRIES_CONF_PATH, or the leaderboard's own, or ORGANIZATION's (HELM's page, "Private Benchmarks")."""
        organization = self.optional("ORGANIZATION")
        default = self._board.leaderboard.get("organization")
        if organization is None or organization == default or self.given("RUN_ENTRIES_CONF_PATH"):
            return self.path("RUN_ENTRIES_CONF_PATH", here)
        if default is None:
            raise VariableError("ORGANIZATION", organization, f"{self._board.id} has the same entries everywhere")
        if not _SUITE_NAME.match(organization):
            raise VariableError("ORGANIZATION", organization, "must be one name, as in the file's name")
        name = str(self._board.leaderboard["conf"]).replace(f"_{default}.", f"_{organization}.")
        return self.path("ORGANIZATION", here, name)

    def path(self, name: str, here: Path, value: Optional[str] = None) -> Path:
        value = value or self.text(name)
        candidates = [here / value, self._board.directory / value]
        for candidate in candidates:
            # Not Path.is_file: it raises where a folder may not be searched.
            if os.path.isfile(candidate):  # noqa: PTH113
                return candidate.absolute()
        raise VariableError(name, value, f"no such file (looked in {here} and {self._board.directory})")


def _printable(name: str, value: str) -> str:
    if any(ord(character) < 32 for character in value):
        raise VariableError(name, repr(value), "must not hold control characters")
    return value


def _number(name: str, value: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value, re.ASCII) or not 1 <= int(value) <= most:
        allowed = "a whole number from 1" if most == _LARGEST else f"a whole number from 1 to {most}"
        raise VariableError(name, value, f"must be {allowed}")
    return int(value)
