"""What every engine is asked: run this leaderboard with these variables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Optional, Protocol

from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.errors import ConfigurationError

Write = Callable[[bytes], object]


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """One invocation of the entrypoint.

    Attributes:
        words: stages or one command, as after an image's name.
        variables: environment variables of the entrypoint; may hold secrets, so never print them.
        output: host folder that holds benchmark_output and prod_env.
        publish: host address and port for the server stage, if it runs.
    """

    catalogue: Catalogue
    leaderboard: Leaderboard
    words: tuple[str, ...]
    variables: Mapping[str, str]
    output: Path
    publish: Optional[tuple[str, int]] = None

    def make_output(self) -> None:
        """Make the output folder.

        Raises:
            ConfigurationError: it cannot be made.
        """
        try:
            self.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"--output {self.output}: cannot be made ({error.strerror})") from error


class Engine(Protocol):
    """Runs the entrypoint somewhere. Same variables, same results, same exit codes on every engine."""

    name: str

    def prepare(self, catalogue: Catalogue, leaderboard: Leaderboard) -> None:
        """Make sure that a run can start (build the image, create the environment).

        Raises:
            EngineError: it cannot, and why, in one line.
        """

    def run(self, request: RunRequest, write: Write, write_error: Optional[Write] = None) -> int:
        """Run and return the entrypoint's exit code; ``write`` gets its output as it comes.

        With ``write_error`` the log goes there, and ``write`` gets standard output alone.

        SIGINT and SIGTERM reach the entrypoint, which then ends in order.
        """
