"""The parts of the documentation that follow from the catalogue and the code.

A generated part stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``;
``helm-repro docs`` rewrites it, a test fails when it is out of date. Each leaderboard's page
is generated as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from helm_repro import leaderboard_pages
from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.errors import ConfigurationError
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.variables import VARIABLES

FILES = ("README.md",)


def leaderboards_table(catalogue: Catalogue) -> str:
    """One row per leaderboard: parameters, pin, what it needs beside the model's key."""
    lines = [
        "| id | leaderboard | HELM | trials | instances | priority | judges and keys | status |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for board in catalogue.leaderboards.values():
        version = catalogue.environment_of(board).helm_version
        numbers = f"{board.num_train_trials} | {board.max_eval_instances} | {board.priority}"
        link = f"[`{board.id}`]({leaderboard_pages.FOLDER}/{board.id}.md)"
        lines.append(f"| {link} | {board.title} | {version} | {numbers} | {_needs(board)} | {board.status} |")
    return "\n".join(lines)


def variables_table(catalogue: Catalogue) -> str:
    """One row per environment variable of the entrypoint."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for variable in VARIABLES:
        default = "the leaderboard's" if variable.board else f"`{variable.default}`" if variable.default else ""
        lines.append(f"| `{variable.name}` | {default} | {variable.doc} |")
    return "\n".join(lines)


def exit_codes_table(catalogue: Catalogue) -> str:
    """One row per exit code."""
    return "\n".join(["| code | meaning |", "|---|---|", *(f"| {int(c)} | {c.description} |" for c in ExitCode)])


PARTS: dict[str, Callable[[Catalogue], str]] = {
    "leaderboards": leaderboards_table,
    "variables": variables_table,
    "exit-codes": exit_codes_table,
}


def regenerate(text: str, catalogue: Catalogue, where: Path) -> str:
    """Return ``text`` with its generated parts made anew.

    Raises:
        ConfigurationError: a part is not known or not closed.
    """
    for name in re.findall(r"<!-- begin (\S+) -->", text):
        if name not in PARTS:
            raise ConfigurationError(f"{where}: begin {name}: unknown part, allowed: {', '.join(PARTS)}")
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ConfigurationError(f"{where}: begin {name}: has no end")
        part = PARTS[name](catalogue)
        text = pattern.sub(lambda match, part=part: f"{match[1]}{part}\n{match[2]}", text)  # type: ignore[misc]
    return text


def generated(catalogue: Catalogue) -> dict[str, str]:
    """Every generated file as it should be: name relative to the repository -> text.

    Raises:
        ConfigurationError: as :func:`regenerate`.
    """
    texts = {name: (catalogue.root / name).read_text(encoding="utf-8") for name in FILES}
    parts = {name: regenerate(text, catalogue, catalogue.root / name) for name, text in texts.items()}
    return {**parts, **leaderboard_pages.pages(catalogue)}


def leftovers(catalogue: Catalogue) -> list[str]:
    """Pages of leaderboards that are no longer in the catalogue."""
    wanted = leaderboard_pages.pages(catalogue)
    found = sorted((catalogue.root / leaderboard_pages.FOLDER).glob("*.md"))
    return [name for path in found if (name := path.relative_to(catalogue.root).as_posix()) not in wanted]


def _needs(board: Leaderboard) -> str:
    names = {judge.credential for judge in board.judges if judge.credential}
    names |= {credential.variable for credential in board.credentials}
    names |= {dataset.variable for dataset in board.gated_datasets if dataset.variable}
    return ", ".join(f"`{name}`" for name in sorted(names))
