#!/usr/bin/env python3
"""The image's entrypoint: environment variables and a few words in, a suite and an exit code out.

``entrypoint.py [run] [summarize] [server]``: stages; without any, those of STAGES.
``entrypoint.py plan [--json]``: what would run.
``entrypoint.py preflight``: what would stand in the way.
``entrypoint.py dry-run``: its run specs and instances, without a request.
``entrypoint.py warm``: fetch what a run without a network needs.
``entrypoint.py await-shards``: wait until the SHARD_COUNT shards of a suite on this volume have ended.
``entrypoint.py describe [--json]``: what is baked in.
"""

import importlib
import os
import sys

from helm_repro.inside.process import spawn

if __name__ == "__main__":
    spawn.spawn_early(sys.argv[1:], os.environ)
    # Only now, because it takes a while to import.
    sys.exit(importlib.import_module("helm_repro.inside.commands.dispatch").run(sys.argv[1:]))
