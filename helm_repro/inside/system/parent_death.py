"""A child that never outlives its parent.

Even kill -9 of the entrypoint must not leave a HELM that goes on spending money. Linux
sends a signal to a child when its parent dies, but only from the moment the child asked
for it; so the child then looks whether its parent is still there.
"""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with(parent: int) -> None:
    """Be killed when the process ``parent`` dies; end at once if it has died already.

    Must be called in the child's main thread: what counts is the thread that forked it.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)
