"""Run several HELM commands in one Python, HELM imported once. Started with a Python that has HELM.

Usage: ``python helm_commands.py COMMANDS.json``; the file holds a list of argument lists. Ends with the
first status that is not zero.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import sys

_MODULES = {"helm-run": "helm.benchmark.run", "helm-summarize": "helm.benchmark.presentation.summarize"}


def main(path: str) -> int:
    modules = {name: importlib.import_module(module) for name, module in _MODULES.items()}
    for command in json.loads(pathlib.Path(path).read_text(encoding="utf-8")):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            sys.argv = command
            modules[command[0]].main()
            sys.stdout.flush()
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
