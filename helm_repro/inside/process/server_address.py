"""Where ``helm-server`` listens.

HELM binds 0.0.0.0 and offers no flag (helm/benchmark/server.py, every version), which
on a laptop shows the results to the whole network. HELM serves through Bottle, so the
address is set there, in the one process that runs the server.
"""

from __future__ import annotations

import functools
from typing import Any


def listen_on(host: str) -> None:
    """Make every Bottle server of this process listen on ``host``."""
    import bottle

    original = bottle.Bottle.run

    @functools.wraps(original)
    def run(app: Any, *arguments: Any, **options: Any) -> Any:
        return original(app, *arguments, **{**options, "host": host})

    bottle.Bottle.run = run
