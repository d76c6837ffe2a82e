"""One Python process that imports HELM once and forks a child per command.

Importing HELM costs seconds, and a suite needs it several times: to plan, to run,
to summarise. This process imports once and then serves requests, one JSON object
per line on a pipe. Every command runs in a fork, so each starts from the state
right after import, as if it were a process of its own:

* ``{"command": [...], "listen_on": HOST}`` calls the console script of that name that
  crfm-helm's wheel declares, with that argument list, as its launcher would.
* ``{"call": "module:function", "argument": {...}, "result": PATH}`` calls one of
  our functions and writes what it returns to PATH as JSON.

* ``{"import": [modules], "meanwhile": [modules], "in_long_calls": [modules]}`` imports in this process, for all
  that follow: now, while it waits for calls, and while it waits for one that takes a while.

Before them comes, without an answer, ``{"directory": PATH, "environment": {...}, "import": [modules],
"later": [modules]}``: this process may have been started before that was known. The last are imported
while commands run.

The answer is ``{"status": N}``, N as in ``subprocess.Popen.returncode``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.metadata
import json
import os
import signal
import sys
import time
import traceback
from typing import Any, NoReturn, TextIO

from helm_repro.inside.process.fast_yaml import parse_ahead, use_libyaml
from helm_repro.inside.process.old_python import accept_filter
from helm_repro.inside.process.server_address import listen_on
from helm_repro.inside.system.parent_death import die_with

_PATIENCE_SECONDS = 0.1
_POLL_SECONDS = 0.002


def main() -> None:
    """Serve requests until the pipe closes.

    Arguments: parent's pid, request fd, answer fd, and modules to import before anything is known.
    """
    parent, request_descriptor, answer_descriptor = map(int, sys.argv[1:4])
    die_with(parent)
    requests = os.fdopen(request_descriptor, encoding="utf-8")
    answers = os.fdopen(answer_descriptor, "w", encoding="utf-8")
    # The entrypoint signals the whole process group; this process must outlive its child to report.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    use_libyaml()
    accept_filter()
    # Nothing that an import makes is garbage, and forks share what the collector never visits.
    gc.disable()
    parsed_ahead = parse_ahead()
    failure = None
    try:
        for module in sys.argv[4:]:
            importlib.import_module(module)
    except Exception as error:
        failure = error
    begin = json.loads(requests.readline() or sys.exit())
    # What is wrong with HELM matters once it is wanted.
    if failure:
        raise failure
    _become(begin["directory"], begin["environment"])
    for module in begin["import"]:
        importlib.import_module(module)
    parsed_ahead()
    later: list[str] = begin["later"]
    meanwhile: list[str] = []
    in_long_calls: list[str] = []
    for line in requests:
        request = json.loads(line)
        if "import" in request:
            importlib.import_module("helm_repro.inside.process.warm").import_for_requests(request["import"])
            meanwhile, in_long_calls = request["meanwhile"], request["in_long_calls"]
            _answer(answers, 0)
            continue
        sys.stdout.flush()
        gc.freeze()
        own = os.getpid()
        child = os.fork()
        if child == 0:
            die_with(own)
            requests.close()
            answers.close()
            _run(request)
        status = _import_until_it_ends(child, *((later, []) if "command" in request else (meanwhile, in_long_calls)))
        _answer(answers, os.waitstatus_to_exitcode(status))


def _become(directory: str, environment: dict[str, str]) -> None:
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    # The data directory has packages too (``offline.python_folder``).
    sys.path[:] = dict.fromkeys([*environment["PYTHONPATH"].split(os.pathsep), *sys.path])


def _answer(answers: TextIO, status: int) -> None:
    answers.write(json.dumps({"status": status}) + "\n")
    answers.flush()


def _import_until_it_ends(child: int, at_once: list[str], after_a_while: list[str]) -> int:
    """Wait for the child; meanwhile import (and remove) modules. Return its wait status."""
    # A model that answers in no time is not kept waiting for an import that nothing needs yet.
    patience = time.monotonic() + _PATIENCE_SECONDS
    while at_once or after_a_while:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if not at_once and time.monotonic() < patience:
            time.sleep(_POLL_SECONDS)
            continue
        # The command that needs it will say what is wrong with it.
        with contextlib.suppress(Exception), contextlib.redirect_stdout(sys.stderr):
            importlib.import_module((at_once or after_a_while).pop(0))
    return os.waitpid(child, 0)[1]


def _run(request: dict[str, Any]) -> NoReturn:
    """Run one request in this forked process and end it."""
    gc.enable()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 1
    try:
        if "command" in request:
            if request.get("listen_on"):
                listen_on(request["listen_on"])
            _console_script(request["command"])
        else:
            _call(request)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else (0 if end.code is None else 1)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except KeyboardInterrupt:
        status = 130
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            # Not sys.exit: that would run the atexit hooks that the parent's imports registered, once per fork.
            os._exit(status)


def _console_script(command: list[str]) -> None:
    scripts = importlib.metadata.distribution("crfm-helm").entry_points.select(group="console_scripts")
    (script,) = (script for script in scripts if script.name == command[0])
    sys.argv = list(command)
    # helm-run constructs the plan's run specs once more, and registers nothing after the first.
    lookups = importlib.import_module("helm_repro.inside.plan.lookups")
    with lookups.remembered() if command[0] == "helm-run" else contextlib.nullcontext():
        result = script.load()()
    sys.exit(0 if not isinstance(result, int) else result)


def _call(request: dict[str, Any]) -> None:
    # A called function's result goes to a file; whatever HELM prints meanwhile is log, not result.
    os.dup2(2, 1)
    module, _, function = request["call"].partition(":")
    value = getattr(importlib.import_module(module), function)(**request["argument"])
    temporary = request["result"] + ".part"
    with open(temporary, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(value, file)
    os.replace(temporary, request["result"])  # noqa: PTH105


if __name__ == "__main__":
    main()
