"""``--engine auto``: Docker where it can work, else the local environment; and say which and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.engines.docker_engine import DockerEngine
from helm_repro.engines.local import LocalEngine
from helm_repro.engines.request import Engine
from helm_repro.errors import EngineError

NAMES = ("auto", "docker", "local")


def prepared_engine(name: str, catalogue: Catalogue, leaderboard: Leaderboard, say: Callable[[str], None]) -> Engine:
    """Return an engine that is ready to run the leaderboard.

    Raises:
        EngineError: the named engine cannot; for ``auto``, none can.
    """
    makers: dict[str, Callable[[], Engine]] = {"docker": DockerEngine, "local": LocalEngine}
    reason: Optional[str] = None
    for candidate in makers if name == "auto" else (name,):
        try:
            engine = makers[candidate]()
            engine.prepare(catalogue, leaderboard)
        except EngineError as error:
            if name != "auto" or candidate == "local":
                raise
            reason = str(error)
            continue
        say(f"engine {engine.name}" + (f", because {reason}" if reason else ""))
        return engine
    raise EngineError(f"no engine can run {leaderboard.id}: {reason}")
