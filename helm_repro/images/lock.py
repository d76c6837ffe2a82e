"""Lock an environment: every dependency with its hashes, as of HELM's own release.

An unlocked installation drifts: sampling order changed between pandas versions, so
the packages are those of the release. The solver gets HELM's own freeze for that tag
as constraints and sees nothing newer than ``exclude_newer``. That freeze is HELM's
file and not part of this repository; in a checkout of HELM at the tag it is what
``uv export --frozen --all-extras --no-hashes --no-emit-project`` prints.

Invariants:

- a lock is a function of the environment's fields, the constraints and the date,
- its header states digests of all it was made from and of its own body, so that
  :func:`check_lock` finds a stale or edited lock without a network,
- an environment that extends another has that one's pins and more, HELM itself apart,
  so that its image is that one's layers and one more,
- it names no package index: any mirror serves, the hashes decide.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import uv

from helm_repro.catalogue.models import Environment
from helm_repro.errors import ConfigurationError

LOCK_NAME = "requirements.lock"
BUILD_CONSTRAINTS_NAME = "build-constraints.txt"
_DETERMINING = ("helm_version", "python", "extras", "requirements", "overrides", "build_constraints", "exclude_newer")
_HEADER = "# {key}: {value}"
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something wrong with a file: where, and what to do about it."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def lock_path(environment: Environment, root: Path) -> Path:
    """Where the lock of an environment lies."""
    return root / "images" / environment.id / LOCK_NAME


def lock(environment: Environment, root: Path, constraints: Path | str) -> Path:
    """Resolve an environment and write its lock.

    Args:
        constraints: HELM's freeze for the environment's tag, a requirements file.

    Raises:
        ConfigurationError: the constraints cannot be read, or there is no solution.
    """
    try:
        frozen = Path(constraints).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{constraints}: HELM's freeze cannot be read: {error.strerror}") from error
    constraints = without_overridden(frozen, environment.overrides) + _lines(_inherited(environment, root))
    body = _resolve(environment, constraints)
    stated = {
        "environment-sha256": environment_sha256(environment),
        "constraints-sha256": _sha256("\n".join(_requirements(frozen))),
        "body-sha256": _sha256(body),
    }
    header = [
        f"# Everything in environment {environment.id}, made by `make lock`. Do not edit.",
        *(_HEADER.format(key=key, value=value) for key, value in stated.items()),
    ]
    path = lock_path(environment, root)
    path.write_text("\n".join(header) + "\n" + body, encoding="utf-8")
    path.with_name(BUILD_CONSTRAINTS_NAME).write_text(_lines(environment.build_constraints), encoding="utf-8")
    return path


def check_lock(environment: Environment, root: Path) -> list[Problem]:
    """Whether the lock still belongs to its environment file. Needs no network."""
    path = lock_path(environment, root)
    where = f"images/{environment.id}/{LOCK_NAME}"
    if not path.is_file():
        return [Problem(where, f"missing, run `make lock ENVIRONMENT={environment.id}`")]
    text = path.read_text(encoding="utf-8")
    stated = dict(re.findall(r"^# ([a-z0-9-]+): ([0-9a-f]{64})$", text, re.MULTILINE))
    body = re.sub(r"\A(#.*\n)*", "", text)
    problems = []
    if stated.get("environment-sha256") != environment_sha256(environment):
        problems.append(
            Problem(where, f"environment.yaml has changed since, run `make lock ENVIRONMENT={environment.id}`")
        )
    if stated.get("body-sha256") != _sha256(body):
        problems.append(Problem(where, "was edited by hand, run `make lock` instead"))
    if f"\ncrfm-helm=={environment.helm_version} " not in f"\n{body}":
        problems.append(Problem(where, f"does not pin crfm-helm=={environment.helm_version}"))
    build_constraints = path.with_name(BUILD_CONSTRAINTS_NAME)
    if not build_constraints.is_file() or build_constraints.read_text("utf-8") != _lines(environment.build_constraints):
        problems.append(Problem(f"images/{environment.id}/{BUILD_CONSTRAINTS_NAME}", "is not that of environment.yaml"))
    problems += [Problem(where, f"{pin.split()[0]} has no hash") for pin in _pins(body) if "--hash=sha256:" not in pin]
    own = {pin.split()[0] for pin in _pins(body)}
    names = {_name(pin) for pin in own}
    problems += [
        Problem(where, f"has not the {pin.split()[0]} of images/{environment.extends}, run `make lock`")
        for pin in _inherited(environment, root)
        if _name(pin) in names and pin.split()[0] not in own
    ]
    return problems


def pinned_versions(lock_text: str) -> dict[str, str]:
    """Package -> version of everything in a lock."""
    return dict(pin.split()[0].split("==", 1) for pin in _pins(lock_text))


def environment_sha256(environment: Environment) -> str:
    """Digest of the fields that a lock depends on; lists that are sets may be reordered."""
    fields = environment.model_dump(mode="json", include=set(_DETERMINING))
    canonical = {key: sorted(value) if isinstance(value, list) else value for key, value in fields.items()}
    return _sha256(json.dumps(canonical, sort_keys=True))


def without_overridden(constraints: str, overrides: Sequence[str]) -> str:
    """Constraints less those on overridden packages: an override that a constraint forbids has no solution."""
    overridden = {_name(override) for override in overrides}
    return _lines(line for line in _requirements(constraints) if _name(line) not in overridden)


def _resolve(environment: Environment, constraints: str) -> str:
    wanted = [f"crfm-helm[{','.join(sorted(environment.extras))}]=={environment.helm_version}"]
    with tempfile.TemporaryDirectory(prefix="helm-repro-lock-") as folder:
        files = {
            "requirements.in": [*wanted, *environment.requirements],
            "overrides.txt": environment.overrides,
            "build-constraints.txt": environment.build_constraints,
            "constraints.txt": constraints.splitlines(),
        }
        for name, lines in files.items():
            (Path(folder) / name).write_text(_lines(lines), encoding="utf-8")
        command = [
            uv.find_uv_bin(), "pip", "compile", "requirements.in",
            "--constraints", "constraints.txt",
            "--overrides", "overrides.txt",
            "--build-constraints", "build-constraints.txt",
            "--python-version", environment.python,
            # One lock for Linux on either architecture and for a developer's Mac.
            "--universal",
            # A date alone would mean midnight of whoever runs this.
            "--exclude-newer", f"{environment.exclude_newer.isoformat()}T23:59:59Z",
            "--generate-hashes", "--no-header", "--no-annotate", "--quiet",
        ]  # fmt: skip
        # Configuration of the machine (extra indexes, constraints) must not leak into the lock.
        result = subprocess.run(
            command, cwd=folder, env={**os.environ, "UV_NO_CONFIG": "1"}, capture_output=True, text=True, check=False
        )
    if result.returncode != 0:
        reason = " ".join(result.stderr.split())
        raise ConfigurationError(f"images/{environment.id}/environment.yaml: cannot be locked: {reason}")
    return result.stdout


def _inherited(environment: Environment, root: Path) -> list[str]:
    """Pins of the environment that this one extends, without hashes and without HELM, whose version may differ.

    Raises:
        ConfigurationError: that one has no lock yet.
    """
    if environment.extends is None:
        return []
    path = root / "images" / environment.extends / LOCK_NAME
    if not path.is_file():
        raise ConfigurationError(f"images/{environment.extends}/{LOCK_NAME}: missing, {environment.id} builds on it")
    pins = (pin.split("--hash=")[0].strip() for pin in _pins(path.read_text(encoding="utf-8")))
    return [pin for pin in pins if _name(pin) != "crfm-helm"]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _requirements(text: str) -> Iterable[str]:
    return sorted(line.strip() for line in text.splitlines() if _NAME.match(line))


def _pins(lock_text: str) -> list[str]:
    """The lock's requirements, each with its continuation lines."""
    joined = lock_text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if _NAME.match(line)]


def _name(requirement: str) -> str:
    matched = _NAME.match(requirement)
    if not matched:
        raise ConfigurationError(f"{requirement!r}: not a requirement")
    return re.sub(r"[-_.]+", "-", matched[1]).lower()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
