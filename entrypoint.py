#!/usr/bin/env python3
"""The image's entrypoint: environment variables and a few words in, a suite and an exit code out.

entrypoint.py [run] [summarize] [server]     stages; none: those of STAGES
entrypoint.py plan [--json]                  what would run
entrypoint.py describe [--json]              what is baked in
"""

import json
import os
import signal
import sys

from helm_repro.inside import describe, health, pipeline, planning
from helm_repro.inside.board import complete_board, load_board
from helm_repro.inside.errors import InsideError, Stopped
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.log import say, use_format
from helm_repro.inside.settings import read_settings
from helm_repro.inside.variables import STAGES

COMMANDS = ("plan", "describe", "healthcheck", "check-board")


def main(arguments: list[str]) -> int:
    """Do what the arguments say.

    Raises:
        InsideError: with the exit code and one line for the user.
    """
    words = [argument for argument in arguments if argument != "--json"]
    as_json = len(words) != len(arguments)
    for word in words:
        if word not in (*STAGES, *COMMANDS):
            raise InsideError(f"{word}: unknown stage or command, allowed: {', '.join((*STAGES, *COMMANDS))}")
    command = words[0] if words and words[0] in COMMANDS else None
    if (command and len(words) > 1) or (not command and any(word in COMMANDS for word in words)):
        raise InsideError(f"{' '.join(words)}: a command stands alone; only stages can be combined")

    board = load_board()
    if command == "check-board":
        complete_board(board)
        return ExitCode.OK
    if command == "describe":
        print(json.dumps(describe.description(board), indent=2) if as_json else describe.as_text(board))
        return ExitCode.OK
    settings = read_settings(os.environ, board, ["run"] if command == "plan" else [] if command else words)
    use_format(settings.log_format)
    if command == "healthcheck":
        return 0 if health.is_healthy(settings) else 1
    if command == "plan":
        return planning.print_plan(settings, as_json)
    return pipeline.run_stages(settings)


def _stopped_early(signum: int, _: object) -> None:
    raise Stopped(signum)


if __name__ == "__main__":
    # Until HELM runs, a signal simply ends us; as PID 1 there is no default action.
    signal.signal(signal.SIGTERM, _stopped_early)
    signal.signal(signal.SIGINT, _stopped_early)
    try:
        code = main(sys.argv[1:])
    except InsideError as error:
        say("error", str(error))
        code = int(error.exit_code)
    sys.exit(code)
