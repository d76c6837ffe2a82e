"""Writes prod_env/: models that HELM does not know, served by the test server."""

from __future__ import annotations

import datetime
import json
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Optional

import yaml

CHAT = "helm.clients.openai_client.OpenAIClient"
COMPLETIONS = "helm.clients.openai_client.OpenAILegacyCompletionsClient"
# CHAT, without the minutes that HELM waits before it asks again.
IMPATIENT = "tests.support.impatient_client.ImpatientClient"


def write_model(
    local_path: Path,
    base_url: str,
    name: str = "test/model",
    served_name: Optional[str] = None,
    client: str = CHAT,
    api_key: Optional[str] = "test-key",
    deployment: Optional[str] = None,
    tokenizer: str = "simple/tokenizer1",
    tags: Sequence[str] = (
        "TEXT_MODEL_TAG",
        "FULL_FUNCTIONALITY_TEXT_MODEL_TAG",
        "INSTRUCTION_FOLLOWING_MODEL_TAG",
    ),
) -> str:
    """Add a model to HELM's configuration in ``local_path`` (prod_env) and return its name.

    Args:
        base_url: of the server, with ``/v1``.
        served_name: the name the server knows it by; default: the last part of ``name``.
        api_key: sent to the server; None leaves it to HELM's credentials (``<creator>ApiKey``).
        deployment: name of the deployment, if it differs; a built-in judge's name redirects that judge.

    The default tokenizer is HELM's own, offline: one token per character, so ``max_sequence_length``
    counts characters. HELM caches the tokens of other tokenizers; :func:`write_tokenizer` makes such a one.
    """
    client_args: dict[str, Any] = {"base_url": base_url}
    # OpenAILegacyCompletionsClient and OpenAIClient both take it (helm/clients/openai_client.py, 0.5.16).
    client_args["openai_model_name"] = served_name or name.rpartition("/")[2]
    if api_key is not None:
        client_args["api_key"] = api_key
    _append(
        local_path / "model_deployments.yaml",
        "model_deployments",
        {
            "name": deployment or name,
            "model_name": name,
            "tokenizer_name": tokenizer,
            "max_sequence_length": 1_000_000,
            "client_spec": {"class_name": client, "args": client_args},
        },
    )
    _append(
        local_path / "model_metadata.yaml",
        "models",
        {
            "name": name,
            "display_name": name,
            "description": "A model of the tests.",
            "creator_organization_name": name.partition("/")[0],
            "access": "limited",
            "release_date": datetime.date(2020, 1, 1),
            "tags": list(tags),
        },
    )
    return name


def write_tokenizer(local_path: Path, words: Iterable[str], name: str = "test/tokenizer") -> str:
    """Add a Hugging Face tokenizer that knows these words and needs no download; return its name."""
    folder = local_path / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(["<unk>", *string.printable, *words]))}
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    _append(
        local_path / "tokenizer_configs.yaml",
        "tokenizer_configs",
        {
            "name": name,
            "tokenizer_spec": {
                "class_name": "helm.tokenizers.huggingface_tokenizer.HuggingFaceTokenizer",
                "args": {"pretrained_model_name_or_path": str(folder.absolute())},
            },
            "end_of_text_token": "",
            "prefix_token": "",
        },
    )
    return name


def _append(path: Path, field: str, entry: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {field: []}
    document[field] = [other for other in document[field] if other["name"] != entry["name"]] + [entry]
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
