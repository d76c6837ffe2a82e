"""Imported into HELM's process by ``warm``: records which address each downloaded file came from.

HELM's ``ensure_file_downloaded`` (helm/common/general.py) calls ``urllib.request.urlretrieve``
since 0.5.13 and a shell command (wget, gdown) before and for Google Drive. Both are looked up
by name at each call, so both can be watched.
"""

from __future__ import annotations

import functools
import json
import os
import urllib.request
from collections.abc import Sequence
from typing import Any

import helm.common.general

VARIABLE = "HELM_REPRO_DOWNLOAD_LOG"


def _record(url: str, path: str) -> None:
    line = json.dumps({"url": url, "path": os.path.realpath(path.removesuffix(".tmp"))}) + "\n"
    descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def _watch() -> None:
    retrieve, shell = urllib.request.urlretrieve, helm.common.general.shell

    @functools.wraps(retrieve)
    def watched_retrieve(url: str, filename: Any = None, *arguments: Any, **options: Any) -> Any:
        result = retrieve(url, filename, *arguments, **options)
        if filename is not None:
            _record(url, os.fspath(filename))
        return result

    @functools.wraps(shell)
    def watched_shell(command: Sequence[str]) -> Any:
        result = shell(command)
        if "-O" in command:
            _record(command[1], command[command.index("-O") + 1])
        return result

    urllib.request.urlretrieve = watched_retrieve
    helm.common.general.shell = watched_shell


if VARIABLE in os.environ:
    _watch()
