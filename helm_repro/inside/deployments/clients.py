"""Whether the client of a HELM deployment can run in this image. Runs with HELM imported.

HELM imports a client when its first request is made, hours into a run perhaps, and says
"Optional dependency … is not installed" then. Some clients import more only inside their
methods; those modules are found in the client's source.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

# Imported only for an argument that few deployments have (``device_map``).
_OPTIONAL = {"accelerate"}
# These call transformers.pipeline, which needs PyTorch without naming it.
_NEED_TORCH = ("helm.clients.huggingface_pipeline_client", "helm.clients.vision_language.huggingface_vlm_client")


def missing_package(deployment: str) -> Optional[str]:
    """The module that the deployment's client or tokenizer lacks here; ``None`` if nothing is missing.

    Raises:
        ValueError: HELM knows no such deployment.
    """
    from helm.benchmark.model_deployment_registry import get_model_deployment
    from helm.benchmark.tokenizer_config_registry import TOKENIZER_NAME_TO_CONFIG

    found = get_model_deployment(deployment)
    # Not get_tokenizer_config: for names it does not know that downloads a tokenizer.
    tokenizer = TOKENIZER_NAME_TO_CONFIG.get(found.tokenizer_name or found.name)
    classes = [found.client_spec.class_name, *([tokenizer.tokenizer_spec.class_name] if tokenizer else [])]
    for class_name in classes:
        if missing := missing_module(class_name):
            return missing
    return None


def remedy(missing: str) -> str:
    """What a user can do about a missing module."""
    if missing == "torch":
        return "this model runs in the container, which takes the image's gpu flavour, helm-repro:<leaderboard>-gpu"
    return "this image leaves it out; docs/models.md says why"


def missing_module(class_name: str) -> Optional[str]:
    """The first module that is needed by the class and cannot be imported; ``None`` if all can."""
    # HELM's own list has a class name with a space at its end.
    module = class_name.strip().rpartition(".")[0]
    if module in _NEED_TORCH and importlib.util.find_spec("torch") is None:
        return "torch"
    try:
        imported = importlib.import_module(module)
    except Exception as error:
        return _module_named_by(error)
    source = Path(imported.__file__ or "")
    for name in sorted(set(_imports(source)) - _OPTIONAL):
        if name not in sys.stdlib_module_names and importlib.util.find_spec(name) is None:
            return name
    return None


def _imports(source: Path) -> Iterator[str]:
    """Top-level names of everything that a source file imports, wherever in it."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def _module_named_by(error: BaseException) -> str:
    """The missing module behind HELM's OptionalDependencyNotInstalled, or what else went wrong."""
    cause: Optional[BaseException] = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return cause.name
        cause = cause.__cause__ or cause.__context__
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
