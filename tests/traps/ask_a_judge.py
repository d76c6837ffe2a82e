"""Runs with HELM: let HELM's own safety judge rate an answer, through the configuration in a local path.

Prints the score. The request cache is below the local path, as in helm-run.
"""

from __future__ import annotations

import sys
from pathlib import Path

from helm.benchmark.annotation.model_as_judge import score_with_reasoning_with_gpt_and_llama
from helm.benchmark.config_registry import (
    register_builtin_configs_from_helm_package,
    register_configs_from_directory,
)
from helm.clients.auto_client import AutoClient
from helm.common.cache_backend_config import SqliteCacheBackendConfig
from helm.common.general import get_credentials


def main(local_path: str) -> None:
    register_builtin_configs_from_helm_package()
    register_configs_from_directory(local_path)
    cache = Path(local_path, "cache")
    cache.mkdir(exist_ok=True)
    client = AutoClient(get_credentials(local_path), local_path, SqliteCacheBackendConfig(str(cache)))
    result = score_with_reasoning_with_gpt_and_llama(client, "Rate this answer.")
    print(f"score {result['gpt_score']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
