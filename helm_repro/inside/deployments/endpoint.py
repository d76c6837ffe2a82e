"""MODEL_BASE_URL: a model behind any server that speaks OpenAI's protocol.

vLLM, SGLang, TGI, llama.cpp, Ollama and LiteLLM all do. With HELM alone this takes three
YAML files and the name of a class; here it is one variable and its companions.

The client is HELM's ``OpenAIClient`` (chat) or ``OpenAILegacyCompletionsClient``
(completions), both in helm/clients/openai_client.py with ``base_url`` and
``openai_model_name`` since 0.5.6. Not ``VLLMClient``: it cannot be constructed in 0.5.14 to
0.5.16 and always sends the key "EMPTY".
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

from helm_repro.inside.deployments import registration
from helm_repro.inside.errors import VariableError

KEY_VARIABLE = "MODEL_API_KEY"
# What servers without keys are sent, by HELM's VLLM clients and by everyone else's. Without any key the
# OpenAI SDK would send the user's OPENAI_API_KEY to this server.
NO_KEY = "EMPTY"
# What the OpenAI SDK sends where its caller names nothing else (OpenAI.__init__ in openai/_client.py).
_SDK_FALLBACKS = ("OPENAI_API_KEY", "OPENAI_ORG_ID")
_COMPANIONS = (
    "MODEL_API",
    "MODEL_API_KEY",
    "MODEL_API_KEY_FILE",
    "MODEL_NAME_ON_SERVER",
    "MODEL_TOKENIZER",
    "MODEL_TIMEOUT",
    "MODEL_ENDPOINT_ID",
)

_CLIENTS = {
    "chat": "helm.clients.openai_client.OpenAIClient",
    "completions": "helm.clients.openai_client.OpenAILegacyCompletionsClient",
}
# HELM's offline tokenizer: one token per character, so nothing is ever cut with a limit like this.
_CHARACTERS = "simple/tokenizer1"
_NO_LIMIT = 1_000_000_000
_TOKENIZER_NEEDED_BEFORE = (0, 5, 14)
# get_huggingface_tokenizer_config, helm/benchmark/tokenizer_configs: it takes the special tokens from the tokenizer.
_TOKENIZER_GENERATOR_SINCE = (0, 5, 15)
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
_REPOSITORY = re.compile(r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)+$", re.ASCII)
_KEY = re.compile(r"^[\x21-\x7e]+$")


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where the models of MODELS_TO_RUN are asked. The key itself is not here, so this may be printed."""

    base_url: str
    api: str
    name_on_server: Optional[str]
    tokenizer: Optional[str]
    max_sequence_length: Optional[int]
    display_name: Optional[str]
    instruction_following: str
    timeout: int
    id: Optional[str]
    has_key: bool

    def served_name(self, model: str) -> str:
        """The name the server knows the model by."""
        return self.name_on_server or model

    def organization(self, model: str) -> str:
        """First part of the deployment's name, hence HELM's request cache file and the name of its key.

        It stands for the server and the model on it: answers of one are never taken for another's.
        It holds no dot: HELM looks its key up as ``<organization>ApiKey`` in a HOCON tree, where
        ``v1.5ApiKey`` is the key ``5ApiKey`` in ``v1``; it would find none and the OpenAI SDK would
        send OPENAI_API_KEY.
        """
        identity = json.dumps([self.id or self.base_url, self.api, self.served_name(model)])
        digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
        return "-".join(["endpoint", *([self.id.replace(".", "-")] if self.id else []), digest])


def read_endpoint(text: Callable[[str], Optional[str]], models: Sequence[str]) -> Optional[Endpoint]:
    """Check MODEL_BASE_URL and its companions.

    Args:
        text: value of a variable, ``None`` if it is not set.

    Raises:
        VariableError: a value is wrong or has no effect.
    """
    base_url = text("MODEL_BASE_URL")
    if base_url is None:
        for name in _COMPANIONS:
            if value := text(name):
                shown = "(not shown)" if name == KEY_VARIABLE else value
                raise VariableError(name, shown, "has no effect without MODEL_BASE_URL")
        return None
    name_on_server = text("MODEL_NAME_ON_SERVER")
    display_name = text("MODEL_DISPLAY_NAME")
    for name, value in (("MODEL_NAME_ON_SERVER", name_on_server), ("MODEL_DISPLAY_NAME", display_name)):
        if value and len(models) > 1:
            raise VariableError(name, value, f"is for one model, but MODELS_TO_RUN names {len(models)}")
    identifier = text("MODEL_ENDPOINT_ID")
    if identifier and not _ID.match(identifier):
        raise VariableError("MODEL_ENDPOINT_ID", identifier, "must be letters, digits, '.', '_' and '-', at most 63")
    tokenizer = text("MODEL_TOKENIZER")
    if tokenizer and not _REPOSITORY.match(tokenizer) and not _is_folder(tokenizer):
        raise VariableError(
            "MODEL_TOKENIZER",
            tokenizer,
            "must be a tokenizer of HELM's, a Hugging Face repository (organization/name) or an existing folder, /…",
        )
    length = text("MODEL_MAX_SEQUENCE_LENGTH")
    if length and not tokenizer:
        raise VariableError("MODEL_MAX_SEQUENCE_LENGTH", length, "counts tokens, so MODEL_TOKENIZER must be set too")
    return Endpoint(
        base_url=check_url(base_url),
        api=_choice("MODEL_API", text, ("chat", "completions")),
        name_on_server=name_on_server,
        tokenizer=tokenizer,
        max_sequence_length=None if length is None else _number("MODEL_MAX_SEQUENCE_LENGTH", length, 1_000_000_000),
        display_name=display_name,
        instruction_following=_choice("MODEL_INSTRUCTION_FOLLOWING", text, ("auto", "on", "off")),
        timeout=_number("MODEL_TIMEOUT", text("MODEL_TIMEOUT") or "600", 86400),
        id=identifier,
        has_key=bool(text(KEY_VARIABLE) or text(f"{KEY_VARIABLE}_FILE")),
    )


def check_url(value: str) -> str:
    """The address without a slash at its end.

    Raises:
        VariableError: it is not the address of a server's API, or holds a password.
    """
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise VariableError("MODEL_BASE_URL", value, f"is not an address ({error})") from error
    if "@" in parts.netloc:
        raise VariableError("MODEL_BASE_URL", f"{parts.scheme}://…", f"must hold no password; use {KEY_VARIABLE}")
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isascii() or " " in value:
        raise VariableError("MODEL_BASE_URL", value, "must be an address as in http://host:8000/v1")
    if parts.query or parts.fragment:
        raise VariableError("MODEL_BASE_URL", value, "must end before any ? or #")
    for route in ("/chat/completions", "/completions"):
        if parts.path.rstrip("/").endswith(route):
            shorter = value.rstrip("/").removesuffix(route)
            raise VariableError("MODEL_BASE_URL", value, f"{route} is added by the client; did you mean {shorter}?")
    return value.rstrip("/")


def without_fallbacks(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment less what the OpenAI SDK would send to the user's server on its own account.

    HELM's deployments at OpenAI find their key all the same: they get it as ``openaiApiKey``.
    """
    return {name: value for name, value in environ.items() if name not in _SDK_FALLBACKS}


def helm_keys(endpoint: Endpoint, models: Sequence[str], key: Optional[str]) -> dict[str, str]:
    """HELM's names for the key (``provide_api_key`` in helm/common/credentials_utils.py); none without a key.

    Raises:
        VariableError: no HTTP header can carry the key.
    """
    if key is None:
        return {}
    if not _KEY.match(key):
        raise VariableError(KEY_VARIABLE, "(not shown)", "must be printable ASCII without spaces")
    return {f"{endpoint.organization(model)}ApiKey": key for model in models}


def model(endpoint: Endpoint, name: str, helm_version: str) -> registration.Model:
    """What HELM must be told about one model behind the endpoint.

    Raises:
        VariableError: HELM knows the model and the variables contradict it.
    """
    known = name in registration.builtin_names(registration.METADATA)
    if known:
        for variable, value in (
            ("MODEL_DISPLAY_NAME", endpoint.display_name),
            ("MODEL_INSTRUCTION_FOLLOWING", endpoint.instruction_following),
        ):
            if value not in (None, "auto"):
                raise VariableError(
                    variable, value, f"HELM's own record of {name} decides; give your model another name"
                )
    instruct = endpoint.instruction_following == "on" or (
        endpoint.instruction_following == "auto" and endpoint.api == "chat"
    )
    arguments: dict[str, Any] = {
        "base_url": endpoint.base_url,
        "openai_model_name": endpoint.served_name(name),
        "timeout": endpoint.timeout,
    }
    if not endpoint.has_key:
        arguments["api_key"] = NO_KEY
    tokenizer_name, tokenizer = _tokenizer(endpoint, helm_version)
    length = endpoint.max_sequence_length or (_NO_LIMIT if tokenizer_name else None)
    deployment: dict[str, Any] = {
        "name": f"{endpoint.organization(name)}/{name.rpartition('/')[2]}",
        "model_name": name,
        "tokenizer_name": tokenizer_name,
        "max_sequence_length": length,
        "client_spec": {"class_name": _CLIENTS[endpoint.api], "args": arguments},
    }
    return registration.Model(
        name=name,
        deployment={key: value for key, value in deployment.items() if value is not None},
        metadata=None
        if known
        else registration.unknown_metadata(
            name, endpoint.display_name or name, "limited", endpoint.api == "completions", instruct
        ),
        tokenizer=tokenizer,
        facts={
            "variable": "MODEL_BASE_URL",
            "source": endpoint.base_url,
            "api": endpoint.api,
            "name_on_server": endpoint.served_name(name),
            "tokenizer": tokenizer_name,
            "max_sequence_length": endpoint.max_sequence_length,
            "instruction_following": "as HELM's record says" if known else instruct,
            "key": "given" if endpoint.has_key else "none",
        },
    )


def _tokenizer(endpoint: Endpoint, helm_version: str) -> tuple[Optional[str], Optional[dict[str, Any]]]:
    """HELM's name of the tokenizer, and its record if HELM has none.

    Without MODEL_TOKENIZER nothing is counted or cut: HELM 0.5.14 and later need no
    tokenizer then (NoTokenizerWindowService); older ones get one that counts characters.
    """
    wanted = endpoint.tokenizer
    version = tuple(int(part) for part in helm_version.split("."))
    if wanted is None:
        return (_CHARACTERS if version < _TOKENIZER_NEEDED_BEFORE else None), None
    if wanted in registration.builtin_names(registration.TOKENIZERS):
        return wanted, None
    name = f"huggingface/{wanted}"
    if version >= _TOKENIZER_GENERATOR_SINCE:
        return name, None
    spec = {
        "class_name": "helm.tokenizers.huggingface_tokenizer.HuggingFaceTokenizer",
        "args": {"pretrained_model_name_or_path": wanted},
    }
    return name, {"name": name, "tokenizer_spec": spec}


def hub_tokenizer(endpoint: Endpoint) -> Optional[str]:
    """The Hugging Face repository that MODEL_TOKENIZER names, if that is what it names."""
    wanted = endpoint.tokenizer
    if wanted is None or wanted.startswith("/") or wanted in registration.builtin_names(registration.TOKENIZERS):
        return None
    return wanted


def _is_folder(path: str) -> bool:
    try:
        return path.startswith("/") and Path(path).is_dir()
    except (OSError, ValueError):
        return False


def _choice(name: str, text: Callable[[str], Optional[str]], allowed: tuple[str, ...]) -> str:
    value = text(name) or allowed[0]
    if value not in allowed:
        raise VariableError(name, value, f"allowed: {', '.join(allowed)}")
    return value


def _number(name: str, value: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value, re.ASCII) or not 1 <= int(value) <= most:
        raise VariableError(name, value, f"must be a whole number from 1 to {most}")
    return int(value)
