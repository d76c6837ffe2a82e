"""Which models and judges cannot be reached with OFFLINE=1. Runs with HELM imported.

Said from where their clients would connect to, and not found out by asking: some clients
hide the guard's refusal behind "Connection error", which HELM waits and asks again for,
and Google's connect in C, where no guard of Python's sees them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from helm_repro.inside.data.offline import is_this_machine
from helm_repro.inside.deployments.client_kinds import asks_a_provider, module_of

# Where a client is told of another address by a variable.
_VARIABLES = {
    "openai_client": "OPENAI_BASE_URL",
    "openai_responses_client": "OPENAI_BASE_URL",
    "image_generation.dalle2_client": "OPENAI_BASE_URL",
    "image_generation.dalle3_client": "OPENAI_BASE_URL",
    "azure_openai_client": "AZURE_OPENAI_ENDPOINT",
    "http_model_client": "HELM_HTTP_MODEL_BASE_URL",
}


def unreachable(deployments: list[str], local_path: str, hosts: list[str]) -> list[dict[str, str]]:
    """The deployments whose clients ask another machine than this one and ``hosts``.

    Returns:
        Per such deployment ``{"deployment", "where"}``; one of a client that is not HELM's only if its
        arguments name an address, and none that HELM does not know.
    """
    from helm.benchmark.config_registry import (
        register_builtin_configs_from_helm_package,
        register_configs_from_directory,
    )
    from helm.common.general import get_credentials

    from helm_repro.inside.deployments.substitute import answering

    register_builtin_configs_from_helm_package()
    register_configs_from_directory(local_path)
    credentials = get_credentials(local_path)
    found = []
    for name in deployments:
        deployment = answering(name)
        if deployment is not None and (where := _elsewhere(deployment, credentials, {host.lower() for host in hosts})):
            found.append({"deployment": name, "where": where})
    return found


def _elsewhere(deployment: Any, credentials: Mapping[str, Any], hosts: Collection[str]) -> str:
    """Where its client connects to; empty if that is within reach or not known."""
    addresses = list(_addresses(deployment, credentials))
    for address in addresses:
        host = urlsplit(address).hostname or ""
        if host not in hosts and not is_this_machine(host):
            return address
    if not addresses and asks_a_provider(deployment.client_spec.class_name):
        return f"its provider ({deployment.client_spec.class_name.strip().rpartition('.')[2]})"
    return ""


def _addresses(deployment: Any, credentials: Mapping[str, Any]) -> Iterator[str]:
    """Every address that the client is given: by its arguments, credentials.conf or a variable."""
    organization = deployment.host_organization
    variable = _VARIABLES.get(module_of(deployment.client_spec.class_name), "")
    for value in (
        *(deployment.client_spec.args or {}).values(),
        credentials.get(f"{organization}BaseUrl", None),
        credentials.get(f"{organization}Endpoint", None),
        os.environ.get(variable),
    ):
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            yield value
