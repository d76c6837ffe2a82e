"""What this machine needs to reach the network, for builds and tasks that do not inherit its environment.

A proxy's address may hold a password. So its value is never printed, recorded or written
into a file: tasks get it in their environment, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
PROXIES = (*_PROXIES, *(name.lower() for name in _PROXIES))
# Who reads which, of what HELM's clients use: OpenSSL, httpx and aiohttp; requests, the hub and boto; curl; boto;
# httplib2, for the Perspective API; gRPC, for Vertex AI.
_COMMON = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CERTIFICATES = (*_COMMON, "AWS_CA_BUNDLE", "HTTPLIB2_CA_CERTS", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
# ``make image`` reads it (images/definition.py).
_OF_BUILDS = "CA_FILE"


def network_variables(
    given: Mapping[str, str], environ: Mapping[str, str] = os.environ, direct: str = ""
) -> dict[str, str]:
    """Proxies and certificates of ``environ`` that tasks with the ``given`` variables need beside those.

    Libraries read a proxy in either case and prefer one; of what is given in one, the other is not taken from here.

    Args:
        direct: host that no proxy can reach; unless NO_PROXY is given, it is asked without one.
    """
    either_case = {name.upper() for name in given}
    proxies = {
        name: value
        for name in PROXIES
        if (value := environ.get(name)) and name.upper() not in either_case and _is_of_use(name, value)
    }
    if direct and "NO_PROXY" not in either_case and any({**proxies, **given}.get(name) for name in PROXIES):
        proxies |= _without_proxy_for(direct, proxies.get("no_proxy") or proxies.get("NO_PROXY") or "")
    return proxies | _certificates(given, environ)


def _is_of_use(name: str, proxy: str) -> bool:
    """Whether tasks can ask it: HELM's environments lack a package for SOCKS, a container's loopback is its own."""
    if name.upper() == "NO_PROXY":
        return True
    parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
    host = parts.hostname or ""
    return not parts.scheme.startswith("socks") and host not in ("localhost", "::1") and not host.startswith("127.")


def _without_proxy_for(host: str, others: str) -> dict[str, str]:
    # A star counts only on its own.
    hosts = others if others.strip() == "*" else ",".join(filter(None, (others, host)))
    return {"no_proxy": hosts, "NO_PROXY": hosts}


def _certificates(given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """One file under every name, as who sets a common name means all; other files that are set keep theirs."""
    stated = {name: given[name] for name in CERTIFICATES if name in given}
    # Path.is_file raises where a folder may not be searched.
    here = {name: environ[name] for name in (*CERTIFICATES, _OF_BUILDS) if os.path.isfile(environ.get(name, ""))}  # noqa: PTH113
    files = stated or here
    common = next((files[name] for name in (*_COMMON, _OF_BUILDS) if files.get(name)), None)
    found = {name: files.get(name) or common for name in CERTIFICATES if name not in given}
    return {name: file for name, file in found.items() if file}
