"""OFFLINE=1: nothing is asked for over a network but of the model's own server.

Datasets, tokenizers and NLTK data come from the data directory, which ``warm`` fills where
there is a network (see ``fill_cache``). The libraries' own switches keep them from looking
for newer versions; the guard turns every other attempt that goes through Python's sockets
into an error that names the host, within milliseconds instead of after a timeout. What
connects in C, as gRPC does, it does not see: models that would are refused by ``reach``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ALLOWED_VARIABLE = "HELM_REPRO_OFFLINE_HOSTS"
# Where each library keeps what it downloads, below the data directory unless the user says otherwise.
CACHES = {"HF_HOME": "huggingface", "NLTK_DATA": "nltk", "TIKTOKEN_CACHE_DIR": "tiktoken"}
_SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_EVALUATE_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
_DOWNLOADERS = {"wget", "curl", "gdown", "git"}


def cache_folders(cache: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Variable -> folder of each library's cache."""
    return {name: environ.get(name) or str(cache / folder) for name, folder in CACHES.items()}


def python_folder(cache: Path) -> Path:
    """Where HELM's processes find Python packages that are data, such as spaCy's models."""
    return cache / "python"


def environment(cache: Path, environ: Mapping[str, str], offline: bool, base_url: str | None) -> dict[str, str]:
    """Variables for HELM's processes: where caches are, and with ``offline`` that nothing else may be used.

    Makes the folder of packages, because Python never looks again for one that was not there when it started.
    """
    variables = cache_folders(cache, environ)
    packages = python_folder(cache)
    with contextlib.suppress(OSError):
        packages.mkdir(parents=True, exist_ok=True)
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (environ.get("PYTHONPATH"), str(packages))))
    if offline:
        host = urlsplit(base_url).hostname if base_url else None
        # A proxy is a host that may not be reached, and would reach others.
        variables |= {**_SWITCHES, ALLOWED_VARIABLE: host or "", "NO_PROXY": "*", "no_proxy": "*"}
    return variables


def guard(allowed: Iterable[str]) -> None:
    """Refuse connections, name look-ups and downloaders in this process and its forks, for good.

    Args:
        allowed: host names that may be reached; this machine itself always may.
    """
    names = {name.lower() for name in allowed if name}
    addresses = {address for name in names for address in _addresses(name)}

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            _check(arguments[0], names, addresses)
        elif event == "socket.connect":
            address = arguments[1]
            # Text and bytes are paths of local sockets.
            if isinstance(address, tuple):
                _check(address[0], names, addresses)
        elif event == "subprocess.Popen":
            command = arguments[1]
            words = [command] if isinstance(command, (str, bytes)) else list(command or ())
            program = Path(os.fsdecode(words[0]).split(" ")[0]).name if words else ""
            if program in _DOWNLOADERS:
                raise OSError(f"OFFLINE=1 forbids {program}")

    # Audit hooks cannot be removed (PEP 578), so nothing that HELM loads later can undo this.
    sys.addaudithook(refuse)


def _check(host: object, names: set[str], addresses: set[str]) -> None:
    text = os.fsdecode(host) if isinstance(host, (str, bytes)) else ""
    if not text or text.lower() in names or text in addresses or is_this_machine(text):
        return
    raise OSError(f"OFFLINE=1 forbids reaching {text}; run `warm` with a network first if data is missing")


def is_this_machine(host: str) -> bool:
    """Whether an address or name is this machine's own."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _addresses(name: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(name, None)}
    except OSError:
        return set()
