"""Models that run in this container: LOCAL_MODEL_PATH, and ``huggingface/…`` with choices of one's own.

HELM's ``--enable-local-huggingface-models`` (helm/benchmark/huggingface_registration.py)
leaves dtype, device and chat template to what transformers and the tokenizer happen to
say, and these move scores: when chat templates became automatic (HELM #3678) and changed
in 0.5.7 (#3703), one model fell from 0.92 to 0.16. Here each is a variable, written into
HELM's registration and recorded.

HELM caches answers by the model's name, so the deployment's name stands for the weights
and every choice: a retrained checkpoint in the same folder is another deployment.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.deployments import registration
from helm_repro.inside.deployments.hub import Hub
from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.variables import BY_NAME

CLIENT = "helm.clients.huggingface_client.HuggingFaceClient"
_TOKENIZER = "helm.tokenizers.huggingface_tokenizer.HuggingFaceTokenizer"
DTYPES = ("auto", "float32", "float16", "bfloat16")
_CHOICES = {
    "MODEL_DTYPE": "dtype",
    "MODEL_REVISION": "revision",
    "MODEL_CHAT_TEMPLATE": "chat_template",
    "MODEL_DEVICE": "device",
}
_FOR_ALL_OWN = ("MODEL_MAX_SEQUENCE_LENGTH", "MODEL_DISPLAY_NAME", "MODEL_INSTRUCTION_FOLLOWING")
_HUB = "huggingface/"
_REVISION = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$")
# transformers' value for "the author did not say" is 10^30 (VERY_LARGE_INTEGER, tokenization_utils_base.py).
_LONGEST = 10_000_000
_LENGTH_FIELDS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "n_ctx")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
# Enough of each file that other weights show, little enough that 100 GB take a second.
_SAMPLES, _SAMPLE_BYTES = 64, 65536


@dataclasses.dataclass(frozen=True)
class LocalModel:
    """How models run in this container. ``path`` is ``None`` for models of the hub."""

    path: Optional[Path]
    dtype: str
    revision: Optional[str]
    chat_template: str
    device: str
    max_sequence_length: Optional[int]
    display_name: Optional[str]
    instruction_following: str

    @property
    def has_choices(self) -> bool:
        """Whether anything differs from what is so without any variable."""
        return self != LocalModel(None, "auto", None, "auto", "auto", None, None, "auto")

    @property
    def choices(self) -> dict[str, str]:
        """Variable -> value of the choices that only models in this container have."""
        values = {name: getattr(self, field) for name, field in _CHOICES.items()}
        return {name: value for name, value in values.items() if value not in (None, "auto")}

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of HELM's HuggingFaceClient; what is left to it is left out."""
        arguments: dict[str, Any] = {}
        if self.dtype != "auto":
            arguments["torch_dtype"] = f"torch.{self.dtype}"
        if self.revision:
            arguments["revision"] = self.revision
        if self.device == "all":
            arguments["device_map"] = "auto"
        elif self.device != "auto":
            arguments["device"] = "cuda:0" if self.device == "cuda" else self.device
        if self.chat_template != "auto":
            arguments["apply_chat_template"] = self.chat_template == "on"
        return arguments


def default_name(path: str) -> str:
    """The model's name where MODELS_TO_RUN gives none, as HELM makes it from a folder."""
    return f"huggingface/{re.sub(r'[^A-Za-z0-9._-]', '-', Path(path).name).lstrip('._-') or 'model'}"


def read_local_model(text: Callable[[str], Optional[str]], models: Sequence[str]) -> Optional[LocalModel]:
    """Check LOCAL_MODEL_PATH and the choices for models that run here; ``None`` if none does.

    A default that is given is the same as none.

    Args:
        text: value of a variable, ``None`` if it is not set.

    Raises:
        VariableError: a value is wrong or has no effect.
    """
    given = text("LOCAL_MODEL_PATH")
    elsewhere = text("MODEL_BASE_URL")
    chosen = [name for name in _CHOICES if text(name) not in (None, BY_NAME[name].default)]
    if given and elsewhere:
        raise VariableError("LOCAL_MODEL_PATH", given, "MODEL_BASE_URL is set too; a model is in one place")
    if elsewhere:
        for name in chosen:
            raise VariableError(name, text(name), "has no effect with MODEL_BASE_URL; it is the server's choice")
    if elsewhere:
        return None
    if not (given or chosen or any(model.startswith(_HUB) for model in models)):
        for name in _FOR_ALL_OWN:
            if (value := text(name)) not in (None, BY_NAME[name].default):
                raise VariableError(name, value, "has no effect without MODEL_BASE_URL or LOCAL_MODEL_PATH")
        return None
    if given and len(models) > 1:
        raise VariableError("LOCAL_MODEL_PATH", given, f"is one model, but MODELS_TO_RUN names {len(models)}")
    revision = text("MODEL_REVISION")
    if revision and given:
        raise VariableError(
            "MODEL_REVISION", revision, "has no effect with LOCAL_MODEL_PATH; a folder has no revisions"
        )
    if revision and not _REVISION.match(revision):
        raise VariableError("MODEL_REVISION", revision, "must be a branch, tag or commit")
    return LocalModel(
        path=check_folder(given) if given else None,
        dtype=_choice("MODEL_DTYPE", text, DTYPES),
        revision=revision,
        chat_template=_choice("MODEL_CHAT_TEMPLATE", text, ("auto", "on", "off")),
        device=_choice("MODEL_DEVICE", text, ("auto", "cpu", "cuda", "all")),
        max_sequence_length=_length(text("MODEL_MAX_SEQUENCE_LENGTH")),
        display_name=text("MODEL_DISPLAY_NAME"),
        instruction_following=_choice("MODEL_INSTRUCTION_FOLLOWING", text, ("auto", "on", "off")),
    )


def check_folder(value: str) -> Path:
    """The folder with a model in it.

    Raises:
        VariableError: it is not there or holds no model.
    """
    try:
        path = Path(value).resolve()
        if not path.is_dir():
            raise VariableError("LOCAL_MODEL_PATH", value, "no such folder; mount it, as in -v /models/x:/models/x:ro")
        if not (path / "config.json").is_file():
            raise VariableError("LOCAL_MODEL_PATH", value, "holds no config.json, so it is no Hugging Face model")
        if not any(file.suffix in _WEIGHTS for file in path.iterdir()):
            raise VariableError("LOCAL_MODEL_PATH", value, f"holds no weights ({', '.join(_WEIGHTS)})")
    except (OSError, ValueError) as error:
        raise VariableError("LOCAL_MODEL_PATH", value, f"cannot be read ({error})") from error
    return path


def model(
    local: LocalModel, name: str, hub: Hub, earlier: Optional[Mapping[str, Any]] = None
) -> Optional[registration.Model]:
    """What HELM must be told about one model that runs here; ``None`` if it does not, or HELM's record says it all.

    Models of the hub that HELM has no record of get one here even without any choice: the one
    that HELM would invent says neither which commit nor whether the model follows instructions.

    Args:
        earlier: facts of this model from an earlier start of the suite.

    Raises:
        VariableError: the choices cannot be applied to this model.
        InsideError: the model's configuration cannot be had from the hub.
    """
    metadata_known = name in registration.builtin_names(registration.METADATA)
    if not local.has_choices and (metadata_known or name in registration.builtin_names(registration.DEPLOYMENTS)):
        return None
    known = None if local.path else _helm_deployment(name)
    repository = str(local.path) if local.path else _repository(name, known)
    if repository is None:
        return None
    if metadata_known:
        _refuse_contradictions(local, name)
    arguments = {**(known["client_spec"].get("args") or {} if known else {}), **local.arguments}
    arguments["pretrained_model_name_or_path"] = repository
    revision = _commit_of(earlier or {}, repository, local.revision) or arguments.get("revision")
    folder = local.path or hub.snapshot("MODELS_TO_RUN", name, repository, revision)
    if not local.path:
        # The very commit, so that what runs is what was recorded even if the branch moves on.
        arguments["revision"] = folder.name
    tokenizer_config = _json(folder / "tokenizer_config.json")
    template = "chat_template" in tokenizer_config or any(folder.glob("chat_template.*"))
    if local.chat_template == "on" and not template:
        raise VariableError("MODEL_CHAT_TEMPLATE", "on", f"the tokenizer in {repository} has no chat template")
    applied = arguments.get("apply_chat_template", template)
    arguments["apply_chat_template"] = applied
    # A snapshot of the hub fills up as it is used; its commit stands for all of it.
    weights = fingerprint(folder) if local.path else None
    digest = hashlib.sha256(json.dumps([arguments, weights], sort_keys=True).encode()).hexdigest()[:12]
    organization = f"local-{digest}"
    tokenizer_arguments = {
        key: arguments[key] for key in ("pretrained_model_name_or_path", "revision") if key in arguments
    }
    instruct = local.instruction_following == "on" or (local.instruction_following == "auto" and applied)
    engine = name.rpartition("/")[2]
    return registration.Model(
        name=name,
        deployment={
            "name": f"{organization}/{engine}",
            "model_name": name,
            "tokenizer_name": f"{organization}/{engine}",
            "max_sequence_length": local.max_sequence_length or _context(folder, tokenizer_config, known),
            "client_spec": {"class_name": CLIENT, "args": arguments},
        },
        tokenizer={
            "name": f"{organization}/{engine}",
            "tokenizer_spec": {"class_name": _TOKENIZER, "args": tokenizer_arguments},
            "end_of_text_token": _token(tokenizer_config, "eos_token"),
            "prefix_token": _token(tokenizer_config, "bos_token"),
        },
        metadata=None
        if metadata_known
        else registration.unknown_metadata(name, local.display_name or name, "open", True, bool(instruct)),
        facts={
            "variable": "LOCAL_MODEL_PATH" if local.path else "MODELS_TO_RUN",
            "source": repository,
            "revision": local.revision,
            "commit": None if local.path else folder.name,
            "weights_fingerprint": weights,
            "dtype": arguments.get("torch_dtype", "auto").removeprefix("torch."),
            "device": local.device,
            "chat_template": bool(applied),
            "instruction_following": "as HELM's record says" if metadata_known else bool(instruct),
        },
    )


def variables(facts: Mapping[str, Any]) -> dict[str, str]:
    """Variable -> value that make these facts anew; empty for models that do not come from the hub."""
    if not facts.get("commit"):
        return {}
    values = {name: facts[field] for name, field in _CHOICES.items()}
    values["MODEL_CHAT_TEMPLATE"] = "on" if facts["chat_template"] else "off"
    return {name: value for name, value in values.items() if value not in (None, "auto")}


def fingerprint(folder: Path) -> str:
    """A digest of the model's files: whole small ones, evenly spaced samples of large ones."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.suffix not in (*_WEIGHTS, ".json", ".jinja", ".model", ".txt"):
            continue
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _SAMPLES * _SAMPLE_BYTES:
                digest.update(file.read())
            else:
                for sample in range(_SAMPLES):
                    file.seek(sample * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                    digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _commit_of(facts: Mapping[str, Any], repository: str, revision: Optional[str]) -> Optional[str]:
    """The commit that the same choice of weights meant before: a suite goes on with it after a push to the hub."""
    same = facts.get("source") == repository and facts.get("revision") == revision
    return facts.get("commit") if same else None


def _helm_deployment(name: str) -> Optional[dict[str, Any]]:
    """HELM's own deployment of this model by HuggingFaceClient, the last one, as HELM chooses."""
    entries = [
        entry
        for entry in registration.builtin_entries(registration.DEPLOYMENTS)
        if name in (entry["name"], entry.get("model_name")) and entry["client_spec"]["class_name"].strip() == CLIENT
    ]
    return entries[-1] if entries else None


def _repository(name: str, known: Optional[Mapping[str, Any]]) -> Optional[str]:
    if known:
        arguments = known["client_spec"].get("args") or {}
        return str(arguments.get("pretrained_model_name_or_path") or known.get("model_name") or name)
    return name.removeprefix(_HUB) if name.startswith(_HUB) else None


def _refuse_contradictions(local: LocalModel, name: str) -> None:
    for variable, value in (
        ("MODEL_DISPLAY_NAME", local.display_name),
        ("MODEL_INSTRUCTION_FOLLOWING", local.instruction_following),
    ):
        if value not in (None, "auto"):
            raise VariableError(variable, value, f"HELM's own record of {name} decides; give your model another name")


def _context(folder: Path, tokenizer_config: Mapping[str, Any], known: Optional[Mapping[str, Any]]) -> int:
    """Most tokens the model takes: HELM's figure, else the smaller of what tokenizer and model say."""
    if known and known.get("max_sequence_length"):
        return int(known["max_sequence_length"])
    config = _json(folder / "config.json")
    inner = config.get("text_config")
    stated = [
        source.get(field) for source in (config, inner if isinstance(inner, dict) else {}) for field in _LENGTH_FIELDS
    ]
    lengths = [
        n for n in (*stated, tokenizer_config.get("model_max_length")) if isinstance(n, int) and 0 < n <= _LONGEST
    ]
    if not lengths:
        raise VariableError(
            "MODEL_MAX_SEQUENCE_LENGTH", "", f"must be set: {folder} does not say how much the model takes"
        )
    return min(lengths)


def _token(tokenizer_config: Mapping[str, Any], field: str) -> str:
    value = tokenizer_config.get(field)
    return str(value.get("content", "") if isinstance(value, dict) else value or "")


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InsideError(f"{path}: is not JSON ({type(error).__name__})") from error
    return value if isinstance(value, dict) else {}


def _choice(name: str, text: Callable[[str], Optional[str]], allowed: tuple[str, ...]) -> str:
    value = text(name) or allowed[0]
    if value not in allowed:
        raise VariableError(name, value, f"allowed: {', '.join(allowed)}")
    return value


def _length(value: Optional[str]) -> Optional[int]:
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,8}", value, re.ASCII) or not 1 <= int(value) <= _LONGEST:
        raise VariableError("MODEL_MAX_SEQUENCE_LENGTH", value, f"must be a whole number from 1 to {_LONGEST}")
    return int(value)
