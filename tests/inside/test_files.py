"""Files that several containers write at once: whole at any moment, whoever comes last."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from helm_repro.inside.system.files import write_json


def test_writers_with_one_process_number_do_not_meet(tmp_path: Path) -> None:
    """Threads, because they have one process number and one host name, as containers may."""
    path, writers = tmp_path / "record.json", 8
    start = threading.Barrier(writers)

    def write(number: int) -> None:
        start.wait()
        for _ in range(20):
            write_json(path, [number] * 1000)
            assert len(set(json.loads(path.read_bytes()))) == 1

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    assert list(tmp_path.iterdir()) == [path]
