"""Models that HELM does not know, registered by HELM's own mechanism.

HELM reads ``model_metadata.yaml``, ``tokenizer_configs.yaml`` and ``model_deployments.yaml``
below ``--local-path`` after its built-in ones (``register_configs_from_directory`` in
helm/benchmark/config_registry.py, every version we pin). For a suite with a model of its
own that path is ``prod_env/suites/<suite>``: the user's files from ``prod_env`` and our
entries beside them, so that two suites with different endpoints never see each other.
The request cache and credentials.conf there are links to those of ``prod_env``.

A command that only looks writes the same into a folder of its own beside it, because a run
of the suite may be under way that must not lose what it reads.

Invariants: the user's files are only read; where they and we name the same thing, theirs
stands; no file written here holds a secret; of shards that write at once none loses
another's models.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib.util
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import yaml

from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.log import say
from helm_repro.inside.system.files import write_text
from helm_repro.inside.system.locks import byte_lock

DEPLOYMENTS = "model_deployments.yaml"
METADATA = "model_metadata.yaml"
TOKENIZERS = "tokenizer_configs.yaml"
RECORD = "models.json"
FILES = (DEPLOYMENTS, METADATA, TOKENIZERS)
_LINKED = ("cache", "credentials.conf", "runner_config.yaml")


@dataclasses.dataclass(frozen=True)
class _Kind:
    """One of HELM's three files: its only top-level field, and the fields of an entry (of any version)."""

    top: str
    fields: Mapping[str, type | tuple[type, ...]]
    required: tuple[str, ...]
    spec: Optional[str] = None


# ModelDeployment, TokenizerConfig (cattrs drops fields it does not know, so a misspelled one is silently
# ignored) and ModelMetadata (dacite).
_KINDS = {
    DEPLOYMENTS: _Kind(
        "model_deployments",
        {
            "name": str,
            "client_spec": dict,
            "model_name": str,
            "tokenizer_name": str,
            "window_service_spec": dict,
            "max_sequence_length": int,
            "max_request_length": int,
            "max_sequence_and_generated_tokens_length": int,
            "deprecated": bool,
        },
        ("name", "client_spec"),
        spec="client_spec",
    ),
    METADATA: _Kind(
        "models",
        {
            "name": str,
            "creator_organization_name": str,
            "display_name": str,
            "description": str,
            "access": str,
            # A date; anything else fails in HELM.
            "release_date": object,
            "tags": list,
            "num_parameters": int,
            "deployment_names": list,
        },
        ("name", "creator_organization_name", "display_name", "description", "access"),
    ),
    TOKENIZERS: _Kind(
        "tokenizer_configs",
        {"name": str, "tokenizer_spec": dict, "end_of_text_token": str, "prefix_token": str},
        ("name", "tokenizer_spec"),
        spec="tokenizer_spec",
    ),
}


@dataclasses.dataclass(frozen=True)
class Model:
    """One model to register.

    Attributes:
        name: as in MODELS_TO_RUN.
        deployment: HELM's record of how it is reached, empty where HELM makes one by the name; its name's first part
            stands for all that answers depend on beside the request, because HELM's request cache is one file per
            first part.
        facts: what the suite's record and the receipt say of it.
        metadata, tokenizer: HELM's records, ``None`` where HELM has its own.
    """

    name: str
    deployment: Mapping[str, Any]
    facts: Mapping[str, Any]
    metadata: Optional[Mapping[str, Any]] = None
    tokenizer: Optional[Mapping[str, Any]] = None


def suite_folder(local_path: Path, suite: str) -> Path:
    """Where the models of this suite are registered."""
    return local_path / "suites" / suite


def suite_local_path(local_path: Path, suite: str) -> Path:
    """HELM's ``--local-path`` for this suite: its own if it has registered models, else the common one."""
    return suite_folder(local_path, suite) if has_record(local_path, suite) else local_path


def has_record(local_path: Path, suite: str) -> bool:
    """Whether models were ever registered for this suite, even if it has forgotten them all since."""
    return (suite_folder(local_path, suite) / RECORD).is_file()


def register(
    models: Sequence[Model],
    local_path: Path,
    suite: str,
    suite_path: Path,
    folder: Optional[Path] = None,
    forgotten: Collection[str] = (),
) -> None:
    """Write the suite's registration: the user's entries, those of earlier runs of the suite, and ``models``.

    Args:
        folder: where to, if not to where the suite's is read from.
        forgotten: models of earlier runs that are no longer reached as they were then.

    Raises:
        InsideError: a file of the user's is wrong, or the suite already holds answers of this
            model from elsewhere.
    """
    for model in models:
        refuse_other_source(model, suite_path)
    own = folder or suite_folder(local_path, suite)
    own.mkdir(parents=True, exist_ok=True)
    (local_path / "cache").mkdir(exist_ok=True)
    _link(own, local_path)

    def outdated() -> dict[str, str]:
        record = registered_models(local_path, suite)
        record = {name: entry for name, entry in record.items() if name not in forgotten}
        record |= {model.name: dataclasses.asdict(model) for model in models}
        return {file: text for file, text in _texts(record, local_path).items() if not _holds(own / file, text)}

    # Hundreds of shards start at once, and all but the first find everything as they would write it: none waits then.
    if outdated():
        with byte_lock(own, RECORD):
            # Anew: another shard may have written since.
            for file, text in outdated().items():
                write_text(own / file, text)


def _link(own: Path, local_path: Path) -> None:
    for name in _LINKED:
        if (local_path / name).exists():
            # Another shard of the suite may have made it just now.
            with contextlib.suppress(FileExistsError):
                (own / name).symlink_to(Path("..", "..", name))


def _texts(record: Mapping[str, Mapping[str, Any]], local_path: Path) -> dict[str, str]:
    """File name -> what it must hold, in the order of writing: the record last, for what it names is there then."""
    texts = {}
    users = {file: read_entries(local_path / file) for file in _KINDS}
    for file, field in ((DEPLOYMENTS, "deployment"), (METADATA, "metadata"), (TOKENIZERS, "tokenizer")):
        taken = {entry["name"] for entry in users[file]}
        ours = {entry[field]["name"]: entry[field] for entry in record.values() if entry[field]}
        entries = users[file] + [entry for name, entry in ours.items() if name not in taken]
        document = {_KINDS[file].top: entries}
        texts[file] = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    texts[RECORD] = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    return texts


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        # Not there, or replaced just now on a network file system.
        return False


def registered(local_path: Path, suite: str) -> dict[str, dict[str, Any]]:
    """Model name -> what we registered for this suite (see :class:`Model`)."""
    try:
        record: dict[str, dict[str, Any]] = json.loads((suite_folder(local_path, suite) / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return record


def registered_models(local_path: Path, suite: str) -> dict[str, dict[str, Any]]:
    """The same without judges: which are replaced is said anew each time (JUDGE_OVERRIDES) and never remembered."""
    return {name: entry for name, entry in registered(local_path, suite).items() if not _is_judge(entry)}


def user_deployments(local_path: Path, model: str) -> list[str]:
    """Names of the user's own deployments of this model.

    Raises:
        InsideError: the user's file is wrong.
    """
    entries = read_entries(local_path / DEPLOYMENTS)
    return [entry["name"] for entry in entries if entry.get("model_name", entry["name"]) == model]


def check_user_files(local_path: Path) -> None:
    """Check the user's own registration files before HELM reads them.

    Raises:
        InsideError: naming the file, the entry and the field.
    """
    for file in _KINDS:
        read_entries(local_path / file)


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The entries of one of HELM's three files; none if there is no such file.

    Raises:
        InsideError: it is not what HELM expects.
    """
    kind = _KINDS[path.name]
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise InsideError(f"{path}: cannot be read: {type(error).__name__}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InsideError(f"{path}:{where} is not YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(document, dict) or list(document) != [kind.top] or not isinstance(document[kind.top], list):
        raise InsideError(f"{path}: must hold one field, {kind.top}, with a list")
    entries: list[dict[str, Any]] = document[kind.top]
    for number, entry in enumerate(entries, 1):
        if problem := _problem(entry, kind):
            name = entry.get("name") if isinstance(entry, dict) else None
            raise InsideError(f"{path}: entry {number}{f' ({name})' if name else ''}: {problem}")
    return entries


def helm_folder() -> Optional[Path]:
    """Where the installed HELM lies, found without importing it; ``None`` where it is not installed."""
    found = importlib.util.find_spec("helm")
    return Path(found.origin).parent if found and found.origin else None


def builtin_names(file: str) -> frozenset[str]:
    """Names that the installed HELM registers itself; none where HELM is not installed."""
    return frozenset(re.findall(r"^\s*- name: [\"']?([^\s\"'#]+)", _builtin_text(file), re.MULTILINE))


def builtin_entries(file: str) -> list[dict[str, Any]]:
    """The entries that the installed HELM registers itself."""
    text = _builtin_text(file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entries: list[dict[str, Any]] = yaml.load(text, Loader=loader)[_KINDS[file].top] if text else []
    return entries


def unknown_metadata(
    name: str, display_name: str, access: str, full_functionality: bool, instruction_following: bool
) -> dict[str, Any]:
    """HELM's record of a model it has none for; tags decide which entries it gets and how it is prompted."""
    functionality = "FULL" if full_functionality else "LIMITED"
    return {
        "name": name,
        "display_name": display_name,
        "description": display_name,
        "creator_organization_name": name.partition("/")[0],
        "access": access,
        "release_date": None,
        "tags": [
            "TEXT_MODEL_TAG",
            f"{functionality}_FUNCTIONALITY_TEXT_MODEL_TAG",
            *(["INSTRUCTION_FOLLOWING_MODEL_TAG"] if instruction_following else []),
        ],
    }


def _is_judge(entry: Mapping[str, Any]) -> bool:
    return bool(entry["facts"].get("role") == "judge")


def _problem(entry: object, kind: _Kind) -> Optional[str]:
    if not isinstance(entry, dict):
        return "must be a mapping"
    for field in kind.required:
        if field not in entry:
            return f"{field}: missing"
    for field, value in entry.items():
        if field not in kind.fields:
            similar = difflib.get_close_matches(str(field), kind.fields, n=1)
            return f"{field}: unknown field" + (f", did you mean {similar[0]}?" if similar else "")
        expected = kind.fields[field]
        if value is None and field not in kind.required:
            continue
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            return f"{field}: must be {_in_words(expected)}, not {value!r:.60}"
    if "/" not in entry["name"]:
        return f"name: must be written organization/name, not {entry['name']}"
    if kind.spec:
        spec = entry[kind.spec]
        if not isinstance(spec.get("class_name"), str) or "." not in spec["class_name"]:
            return f"{kind.spec}: class_name: must be the full name of a class"
        if not isinstance(spec.get("args") or {}, dict):
            return f"{kind.spec}: args: must be a mapping"
    return None


def _in_words(expected: type | tuple[type, ...]) -> str:
    return {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a mapping"}.get(
        expected,  # type: ignore[arg-type]
        "a value",
    )


def other_deployment(model: Model, suite_path: Path) -> Optional[str]:
    """The deployment by which the suite holds runs of the model, if that is another one; ``None`` if there is none."""
    for path in suite_path.glob("*/run_spec.json"):
        try:
            adapter = json.loads(path.read_bytes())["adapter_spec"]
        except (OSError, ValueError, KeyError):
            continue
        found = adapter.get("model_deployment")
        if adapter.get("model") == model.name and found != model.deployment.get("name", model.name):
            return str(found)
    return None


def refuse_other_source(model: Model, suite_path: Path) -> None:
    """A suite's finished runs of a model must all come from the same place.

    Raises:
        VariableError: the suite holds some from elsewhere.
    """
    if found := other_deployment(model, suite_path):
        raise VariableError(
            str(model.facts["variable"]),
            model.facts["source"],
            f"suite {suite_path.name} already holds runs of {model.name} by {found}, "
            f"this is {model.deployment.get('name', model.name)}; choose another SUITE_NAME",
        )


def _builtin_text(file: str) -> str:
    helm = helm_folder()
    path = helm / "config" / file if helm else None
    return path.read_text(encoding="utf-8") if path and path.is_file() else ""


def announce(models: Sequence[Model]) -> None:
    """Say in the log what was registered."""
    for model in models:
        facts = " ".join(f"{key}={value}" for key, value in model.facts.items() if key != "variable")
        say("model", f"{model.name}: {facts}")
