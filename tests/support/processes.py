"""What a run has started."""

from __future__ import annotations

from pathlib import Path


def processes_of(data: Path) -> list[int]:
    """Process ids of everything that was started for this data directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"DATA_DIR={data}\0".encode() in environment:
                found.append(int(entry.name))
    return found
