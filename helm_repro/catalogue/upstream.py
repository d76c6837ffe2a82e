"""Compare a leaderboard with HELM's own files: run entries one by one, the schema by its digest.

HELM keeps the conf in ``src/helm/benchmark/presentation`` and the schema in
``src/helm/benchmark/static`` (every version that the catalogue pins).
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional, Protocol

import httpx
import tenacity
from pyhocon import ConfigFactory
from pyhocon.exceptions import ConfigException
from pyparsing import ParseBaseException

from helm_repro.catalogue.load import Catalogue
from helm_repro.catalogue.models import Environment, Leaderboard
from helm_repro.catalogue.notation import RunEntry
from helm_repro.errors import ConfigurationError

REPOSITORY = "https://raw.githubusercontent.com/stanford-crfm/helm"
_CONF_FOLDER = "src/helm/benchmark/presentation"
_SCHEMA_FOLDER = "src/helm/benchmark/static"
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 30
_FIELDS = frozenset(("description", "priority", "groups"))


class Source(Protocol):
    """Where HELM's files are read from."""

    def read(self, environment: Environment, folder: str, name: str) -> bytes:
        """The file at the environment's HELM version.

        Raises:
            ConfigurationError: it cannot be had.
        """


@dataclasses.dataclass(frozen=True)
class Directory:
    """A checkout of HELM, or a folder with one subfolder per version (``0.5.16/`` or ``helm-0.5.16/``)."""

    path: Path

    def read(self, environment: Environment, folder: str, name: str) -> bytes:
        version = environment.helm_version
        places = [f"{version}/{name}", f"helm-{version}/{name}", f"v{version}/{name}", f"{folder}/{name}", name]
        for place in places:
            if (self.path / place).is_file():
                return (self.path / place).read_bytes()
        raise ConfigurationError(f"--from {self.path}: holds none of {', '.join(places)}")


class Repository:
    """HELM's repository on GitHub, at the pinned commit."""

    def read(self, environment: Environment, folder: str, name: str) -> bytes:
        url = f"{REPOSITORY}/{environment.helm_commit}/{folder}/{name}"
        try:
            return _download(url)
        except httpx.HTTPError as error:
            raise ConfigurationError(f"{url}: {type(error).__name__}: {error}; or give --from DIR") from error


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)


@tenacity.retry(
    stop=tenacity.stop_after_attempt(_ATTEMPTS),
    wait=tenacity.wait_exponential_jitter(initial=1, max=20),
    retry=tenacity.retry_if_exception(_is_passing),
    reraise=True,
)
def _download(url: str) -> bytes:
    response = httpx.get(url, follow_redirects=True, timeout=_TIMEOUT_SECONDS)
    response.raise_for_status()
    return response.content


def is_ours(catalogue: Catalogue, leaderboard: Leaderboard) -> bool:
    """Whether the leaderboard is not HELM's at all: its schema lies in its own folder."""
    return (catalogue.folder(leaderboard) / leaderboard.schema_).is_file()


def differences(catalogue: Catalogue, leaderboard: Leaderboard, source: Source) -> list[str]:
    """What differs between the leaderboard and HELM's files, a line each.

    Raises:
        ConfigurationError: a file cannot be had or read.
    """
    environment = catalogue.environment_of(leaderboard)
    conf = source.read(environment, _CONF_FOLDER, leaderboard.conf)
    lines = list(compare(catalogue.entries(leaderboard), read_conf(conf, leaderboard.conf)))
    digest = hashlib.sha256(source.read(environment, _SCHEMA_FOLDER, leaderboard.schema_)).hexdigest()
    if digest != leaderboard.schema_sha256:
        lines.append(f"schema   {leaderboard.schema_}: SHA-256 is {digest} upstream, {leaderboard.schema_sha256} here")
    return lines


def compare(ours: Sequence[RunEntry], upstream: Sequence[RunEntry]) -> Iterator[str]:
    """Describe how ``ours`` differs from ``upstream``: what is missing, added, changed, or in another place."""
    missing: dict[int, RunEntry] = {}
    added: dict[int, RunEntry] = {}
    matcher = difflib.SequenceMatcher(a=list(upstream), b=list(ours), autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag != "equal":
            missing.update({index: upstream[index] for index in range(a, a_end)})
            added.update({index: ours[index] for index in range(b, b_end)})
    for place, entry in missing.items():
        same = next((at for at, other in added.items() if other == entry), None)
        alike = next((at for at, other in added.items() if other.description == entry.description), None)
        if same is not None:
            del added[same]
            yield f"order    {entry.description}: entry {place + 1} upstream, {same + 1} here"
        elif alike is not None:
            other = added.pop(alike)
            changes = [
                f"{field} {_text(getattr(entry, field))} upstream, {_text(getattr(other, field))} here"
                for field in ("priority", "groups")
                if getattr(entry, field) != getattr(other, field)
            ]
            yield f"changed  {entry.description}: {'; '.join(changes)}"
        else:
            yield f"missing  {_with_fields(entry)}: only upstream, entry {place + 1}"
    for place, entry in added.items():
        yield f"added    {_with_fields(entry)}: only here, entry {place + 1}"


def read_conf(content: bytes, where: str) -> list[RunEntry]:
    """Run entries from a HOCON file as HELM reads it (``read_run_entries``, presentation/run_entry.py).

    Raises:
        ConfigurationError: naming the entry and the field that is wrong.
    """
    try:
        parsed = ConfigFactory.parse_string(content.decode("utf-8"))
    except (UnicodeDecodeError, ConfigException, ParseBaseException, TypeError) as error:
        raise ConfigurationError(f"{where}: not a HOCON file: {' '.join(str(error).split())[:200]}") from error
    entries = parsed.get("entries", None) if hasattr(parsed, "get") else None
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{where}: entries: must be a list of run entries")
    return [_entry(entry, f"{where}: entry {number}") for number, entry in enumerate(entries, 1)]


def _entry(raw: Any, where: str) -> RunEntry:
    if not hasattr(raw, "get"):
        raise ConfigurationError(f"{where}: must be {{description: …, priority: …}}, not {raw!r:.60}")
    if unknown := [str(key) for key in raw if key not in _FIELDS]:
        raise ConfigurationError(f"{where}: {unknown[0]}: unknown field, allowed: {', '.join(sorted(_FIELDS))}")
    description, priority, groups = (raw.get(name, None) for name in ("description", "priority", "groups"))
    if not isinstance(description, str) or not description.strip():
        raise ConfigurationError(f'{where}: description: must be a run entry such as "mmlu:model=text"')
    if priority is not None and (not isinstance(priority, int) or not 1 <= priority <= 5):
        raise ConfigurationError(f"{where}: priority: {priority!r}: must be a whole number from 1 to 5")
    if groups is not None and not (isinstance(groups, list) and all(isinstance(group, str) for group in groups)):
        raise ConfigurationError(f"{where}: groups: {groups!r:.60}: must be a list of names")
    return RunEntry(description=description, priority=priority, groups=None if groups is None else tuple(groups))


def _with_fields(entry: RunEntry) -> str:
    groups = "" if entry.groups is None else f", groups {_text(entry.groups)}"
    return f"{entry.description} (priority {_text(entry.priority)}{groups})"


def _text(value: Optional[object]) -> str:
    return "none" if value is None else " ".join(value) if isinstance(value, tuple) else str(value)
