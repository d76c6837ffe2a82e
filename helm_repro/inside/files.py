"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON, whole or not at all, even through a crash or a full disk.

    Raises:
        OSError: it could not be written; what was there before still is.
    """
    # Containers that share a volume have equal process numbers.
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
