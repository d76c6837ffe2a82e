"""Claims: one holder among threads and processes, none after death."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from helm_repro.inside.system.locks import Claims


def test_threads_take_turns(tmp_path: Path) -> None:
    claims, held, most = Claims(tmp_path), [], []

    def work() -> None:
        claims.take("request")
        held.append(1)
        most.append(len(held))
        time.sleep(0.01)
        held.pop()
        claims.drop("request")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_a_dead_process_holds_nothing(tmp_path: Path, end: str) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        Claims(tmp_path).take("request")
        os.write(write, b"x")
        time.sleep(0 if end == "exit" else 600)
        os._exit(0)
    os.read(read, 1)
    claims = Claims(tmp_path)
    claims.take("another request")
    if end == "kill":
        waiting = threading.Thread(target=claims.take, args=("request",))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive(), "the child holds it"
        os.kill(child, signal.SIGKILL)
        waiting.join(10)
        assert not waiting.is_alive()
    else:
        os.waitpid(child, 0)
        claims.take("request")
