"""``--gpu``: the leaderboard's gpu flavour, for every verb that builds, starts or hands over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from helm_repro.catalogue import Catalogue, Leaderboard

_Function = TypeVar("_Function", bound=Callable[..., Any])


def gpu_option(text: str = "Use the gpu flavour, and all GPUs of this host.") -> Callable[[_Function], _Function]:
    """The option, which the command gets as ``gpu``."""
    return click.option("--gpu", is_flag=True, help=text)


def chosen_board(catalogue: Catalogue, identifier: str, gpu: bool) -> Leaderboard:
    """The leaderboard that a command line means.

    Raises:
        ConfigurationError: there is none of that name, or it has no gpu flavour.
    """
    board = catalogue.leaderboard(identifier)
    return catalogue.gpu_flavour(board) if gpu else board
