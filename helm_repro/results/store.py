"""Where results are read from: a folder or a web address that holds ``benchmark_output``.

The problem: Stanford's results lie behind HTTPS, a site's mirror behind another address
or in a folder, and our own suites in a folder; everything after this file should not care.

Invariants: a path that is not there is :class:`NotPublished`, never an empty result;
a file that is not whole is :class:`PublishedError`, never half a document.

Layout and addresses: HELM's page ``docs/downloading_raw_results.md``.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from pathlib import Path
from typing import Any, Optional, Protocol

from helm_repro.catalogue import Leaderboard
from helm_repro.errors import ConfigurationError, HelmReproError
from helm_repro.inside.exit_codes import ExitCode

BASE_VARIABLE = "HELM_REPRO_PUBLISHED"
DEFAULT_BASE = "https://storage.googleapis.com/crfm-helm-public"
_BUCKET = "gs://crfm-helm-public/"


class PublishedError(HelmReproError):
    """Published results could not be read; nothing was concluded from them."""

    exit_code = ExitCode.UPSTREAM_DATA


class NotPublished(PublishedError):
    """There is no such file at the address (HTTP 404 or 403, or no such path)."""


class Store(Protocol):
    """Files below one ``benchmark_output``."""

    def get(self, path: str) -> bytes:
        """Content of a whole file; ``path`` is relative to ``benchmark_output``, with ``/`` between parts.

        Raises:
            NotPublished: there is none.
            PublishedError: it could not be read, or not as a whole.
        """

    def where(self, path: str = "") -> str:
        """Address of a file, for messages."""


class FolderStore:
    """A ``benchmark_output`` folder on this machine."""

    def __init__(self, root: Path):
        self.root = root

    def get(self, path: str) -> bytes:
        """See :class:`Store`."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotPublished(f"{self.where(path)}: no such file") from error
        except OSError as error:
            raise PublishedError(f"{self.where(path)}: {error.strerror}") from error

    def where(self, path: str = "") -> str:
        """See :class:`Store`."""
        return str(self.root / path)


def get_json(store: Store, path: str) -> Any:
    """Read a JSON document.

    Raises:
        NotPublished: there is none.
        PublishedError: it is cut short or otherwise not JSON.
    """
    content = store.get(path)
    try:
        return json.loads(content)
    except ValueError as error:
        raise PublishedError(
            f"{store.where(path)}: not a whole JSON document ({len(content)} bytes, {error})"
        ) from error


def published_base(leaderboard: Leaderboard, base: Optional[str] = None) -> str:
    """Address or folder of the leaderboard's published ``benchmark_output``.

    Args:
        base: mirror of the whole bucket (``https://…``, ``file://…`` or a path), or, if it ends in
            ``benchmark_output``, of this one project. Default: HELM_REPRO_PUBLISHED, then Stanford's bucket.

    Raises:
        ConfigurationError: nothing is published for this leaderboard, or ``base`` is no address.
    """
    given = base or os.environ.get(BASE_VARIABLE) or DEFAULT_BASE
    given = given.rstrip("/")
    scheme = urllib.parse.urlsplit(given).scheme if "://" in given else ""
    if scheme not in ("", "http", "https", "file"):
        raise ConfigurationError(f"--published {given}: must be https://…, http://…, file://… or a path")
    if given.rpartition("/")[2] == "benchmark_output":
        return given
    published = leaderboard.published
    if published.storage:
        address = published.storage.split()[0].rstrip("/")
        if address.startswith(_BUCKET):
            return f"{given}/{address.removeprefix(_BUCKET)}"
        if given == DEFAULT_BASE:
            return address
    project = published.project or (None if given == DEFAULT_BASE else leaderboard.id)
    if project is None:
        raise ConfigurationError(
            f"{leaderboard.id}: Stanford published no results of it; name others with --published ADDRESS"
        )
    return f"{given}/{project}/benchmark_output"


def folder_of(base: str) -> Optional[Path]:
    """The folder that an address means, or ``None`` for one on the network."""
    if base.startswith("file://"):
        return Path(urllib.parse.unquote(urllib.parse.urlsplit(base).path))
    return None if "://" in base else Path(base)
