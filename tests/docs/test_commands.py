"""What the documentation tells people to type can be typed: `helm-repro …` and `docker run …`."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.cli.main import verbs
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Page by page, because there are a hundred commands on leaderboards' pages that differ in a name only.
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

# ID stands for a leaderboard; own-board.md makes this one.
LEADERBOARD_ARGUMENTS = {"leaderboard", "leaderboards", "identifier"}
LEADERBOARDS_TO_COME = {"ID", "my-board"}

_FENCE = re.compile(r"^```.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)((?: {4}.*\n)+)")
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_COMMAND = re.compile(r"(?P<quote>['\"]?)(?<![\w/-])(?:\.venv/bin/)?helm-repro (?P<rest>.*)")
_SUBSTITUTION = re.compile(r"\$+\([^)]*\)")
# What ends a command on its line. A comment may hold another one: "or: helm-repro …".
_ENDS = re.compile(r"(?:^|\s)#\s|;\s|\s(?:&&|\|\|?|>>?)\s")


class Line(NamedTuple):
    """One line of a shell, with those that a backslash continues it with."""

    text: str
    inline: bool


def lines(text: str) -> Iterator[Line]:
    """All that is set as code, in the page's order for blocks, and then what is in the middle of prose."""
    # As many characters remain, so that blocks of both kinds stay in order.
    unfenced = _FENCE.sub(lambda match: "\n" * len(match[0]), text)
    blocks = [*_FENCE.finditer(text), *_INDENTED.finditer(unfenced)]
    for block in sorted(blocks, key=lambda match: match.start()):
        for line in block[1].replace("\\\n", " ").splitlines():
            yield Line(line, inline=False)
    for match in _INLINE.finditer(_INDENTED.sub("\n", unfenced)):
        yield Line(" ".join(match[1].split()), inline=True)


def helm_repro_commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """Arguments of each `helm-repro`, and whether it is named in the middle of prose."""
    for line in lines(text):
        for part in _ENDS.split(_SUBSTITUTION.sub("x", line.text)):
            if match := _COMMAND.search(part):
                rest = match["rest"].partition(match["quote"])[0] if match["quote"] else match["rest"]
                yield shlex.split(rest), line.inline


def complaint(arguments: list[str], inline: bool, catalogue: Catalogue) -> str | None:
    """What is wrong with a command, by the parser that it is made for."""
    verb, *rest = arguments
    if verb.startswith("-"):
        return None if verb in ("--help", "--version") else f"no option {verb}"
    command = verbs.get_command(click.Context(verbs), verb)
    if command is None:
        return f"no verb {verb}"
    try:
        # A number that is left open.
        context = command.make_context(verb, ["2" if word == "N" else word for word in rest])
    except click.exceptions.Exit:  # --help
        return None
    except click.MissingParameter as error:
        # In prose a verb may be named without all it takes.
        return None if inline and isinstance(error.param, click.Argument) else error.format_message()
    except click.UsageError as error:
        return error.format_message()
    known = LEADERBOARDS_TO_COME | set(catalogue.leaderboards)
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            value: Any = context.params[parameter.name] or ()
            for one in value if isinstance(value, tuple) else (value,):
                if (str(one) in known) is not (parameter.name in LEADERBOARD_ARGUMENTS):
                    return f"{one} is not what the argument {parameter.name} of {verb} stands for"
    return None


@EVERY_PAGE
def test_helm_repro_understands_its_commands(page: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    # Files of the reader's, which are not here.
    monkeypatch.setattr(click.Path, "convert", lambda self, value, parameter, context: value)
    found = [
        f"helm-repro {shlex.join(arguments)}: {wrong}"
        for arguments, inline in helm_repro_commands(page.read_text())
        if (wrong := complaint(arguments, inline, catalogue))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`helm-repro verify SUITE`", "SUITE is not what the argument leaderboard of verify stands for"),
        ("`helm-repro report lite`", "lite is not what the argument suite of report stands for"),
        ("`helm-repro walk`", "no verb walk"),
        ("`helm-repro run ID --shard 4`", "No such option '--shard'"),
        ("`helm-repro compare\nSUITE_A SUITE_B SUITE_C`", "unexpected extra argument"),
        ("\n\n    helm-repro verify --suite s  # all of them\n", "Missing argument 'LEADERBOARD'"),
        ("```sh\nx=1\nhelm-repro submit lite \\\n  --shards 4\n```\n", "Missing option '--engine'"),
        ("```sh\n# or: helm-repro warm lite --gpus\n```\n", "No such option '--gpus'"),
        ("```yaml\n- '.venv/bin/helm-repro run x --stages run'\n```\n", "x is not what the argument leaderboard"),
        ("```sh\nhelm-repro list && helm-repro run lite --modle m | cat\n```\n", "No such option '--modle'"),
    ],
)
def test_a_command_that_cannot_be_typed_is_found(catalogue: Catalogue, text: str, wrong: str) -> None:
    found = [complaint(arguments, inline, catalogue) for arguments, inline in helm_repro_commands(text)]
    assert len([one for one in found if one and wrong in one]) == 1, found


def test_commands_are_found_at_all() -> None:
    counted = {page.name: len(list(helm_repro_commands(page.read_text()))) for page in PAGES}
    assert counted["cluster.md"] >= 12
    assert counted["verify.md"] >= 8
    assert counted["cron.md"] >= 5
    assert counted["lite.md"] >= 1


def mounted(line: str) -> str | None:
    """The folder in the working directory that a `docker run` mounts on /data, if it is one that does."""
    if "docker run " not in line:
        return None
    words = shlex.split(line.partition("docker run ")[2])
    volumes = [value for option, value in itertools.pairwise(words) if option in ("-v", "--volume")]
    return next((volume.removesuffix(":/data") for volume in volumes if volume.endswith(":/data")), None)


def unwritable(text: str) -> list[str]:
    """`docker run` commands that the image could not write the results of.

    Docker makes a folder that is missing as root, and the image's own user is uid 1000.
    """
    found, made = [], set[str]()
    for line in lines(text):
        made |= {f"$PWD/{name}" for name in re.findall(r"^\s*mkdir -p (\S+)$", line.text)}
        folder = mounted(line.text)
        if folder and ('--user "$(id -u):$(id -g)"' not in line.text or folder not in made):
            found.append(line.text)
    return found


@EVERY_PAGE
def test_containers_can_write_to_the_folder_that_is_mounted(page: Path) -> None:
    assert unwritable(page.read_text()) == []


def test_a_container_that_cannot_write_is_found() -> None:
    run = 'docker run {} -v "$PWD/output:/data" helm-repro:lite run\n'
    user = '--user "$(id -u):$(id -g)"'
    assert unwritable("```sh\nmkdir -p output\n" + run.format(user) + "```\n") == []
    assert unwritable("```sh\n" + run.format(user) + "```\n") != []
    assert unwritable("```sh\nmkdir -p cache\n" + run.format(user) + "```\n") != []
    assert unwritable("```sh\nmkdir -p output\n" + run.format("--rm") + "```\n") != []
    assert unwritable("```sh\nmkdir -p output\n# or: " + run.format("--rm") + "```\n") != []


def test_docker_commands_are_found_at_all() -> None:
    counted = {page.name: sum(mounted(line.text) is not None for line in lines(page.read_text())) for page in PAGES}
    assert {name: counted[name] for name in ("models.md", "offline.md", "own-board.md", "lite.md")} == {
        "models.md": 3,
        "offline.md": 2,
        "own-board.md": 1,
        "lite.md": 1,
    }


def test_what_is_warmed_is_what_runs_without_a_network() -> None:
    commands = [line.text for line in lines((ROOT / "docs/offline.md").read_text()) if not line.inline]
    chosen = re.compile(r"(LOCAL_MODEL_PATH=\S+|MODELS_TO_RUN=\S+|--model \S+)")
    steps = [text for text in commands if re.search(r"\bwarm\b|\brun summarize\b", text)]
    assert len(steps) == 3
    assert {tuple(chosen.findall(text)) for text in steps} == {("LOCAL_MODEL_PATH=/models/mine",)}
    assert all(re.search(r"lite-gpu |lite --gpu ", text) for text in steps)
