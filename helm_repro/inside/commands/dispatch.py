"""The words that the entrypoint takes, and what each does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from helm_repro.inside import pipeline
from helm_repro.inside.commands import await_shards, describe, dry_run, fill_cache, health, planning
from helm_repro.inside.errors import InsideError, Stopped
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.board import complete_board, load_board
from helm_repro.inside.inputs.settings import Settings, read_settings
from helm_repro.inside.log import say, use_format
from helm_repro.inside.process import spawn
from helm_repro.inside.variables import STAGES

# Commands that need settings, with the stages whose variables they need.
COMMANDS: dict[str, tuple[Callable[[Settings, bool], int], list[str]]] = {
    "plan": (planning.print_plan, ["run"]),
    "preflight": (pipeline.run_preflight, ["run"]),
    "dry-run": (dry_run.dry_run, ["run"]),
    "warm": (fill_cache.fill_cache, ["run"]),
    "await-shards": (await_shards.run_await_shards, ["summarize"]),
    # Whatever the container does, it needs no more than a server does.
    "healthcheck": (health.check, ["server"]),
}
BOARD_COMMANDS = {"describe": describe.print_description, "check-board": complete_board}
WORDS = (*STAGES, *COMMANDS, *BOARD_COMMANDS)


def run(arguments: list[str]) -> int:
    """Do what the arguments say and return the exit code; what is wrong is said in one line."""
    # Until HELM runs, a signal simply ends us; as PID 1 there is no default action.
    signal.signal(signal.SIGTERM, _stopped_early)
    signal.signal(signal.SIGINT, _stopped_early)
    try:
        code = _do(arguments)
    except InsideError as error:
        say("error", str(error))
        code = int(error.exit_code)
    except OSError as error:
        # A full disk or a vanished mount while we write our own files; what is finished stays.
        say("error", f"{error.filename or 'data directory'}: {error.strerror}; mend it and run the same command again")
        code = int(ExitCode.PARTIAL)
    finally:
        spawn.discard()
    return code


def _do(arguments: list[str]) -> int:
    words = [argument for argument in arguments if argument != "--json"]
    as_json = len(words) != len(arguments)
    for word in words:
        if word not in WORDS:
            raise InsideError(f"{word}: unknown stage or command, allowed: {', '.join(WORDS)}")
    if len(words) > 1 and not set(words) <= set(STAGES):
        raise InsideError(f"{' '.join(words)}: a command stands alone; only stages can be combined")

    board = load_board()
    if words and words[0] in BOARD_COMMANDS:
        return BOARD_COMMANDS[words[0]](board, as_json)
    command, stages = COMMANDS.get(words[0] if words else "", (pipeline.run_stages, words))
    settings = read_settings(os.environ, board, stages)
    use_format(settings.log_format)
    return command(settings, as_json)


def _stopped_early(signum: int, _: object) -> None:
    raise Stopped(signum)
