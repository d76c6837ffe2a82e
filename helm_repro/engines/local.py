"""The local engine: a virtual environment made from the same lock as the image.

For machines without Docker, or without a registry to pull a base image from.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Optional

import uv

from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.catalogue.render import inputs_sha256, lock_path, write_board
from helm_repro.engines.request import RunRequest, Write
from helm_repro.errors import EngineError
from helm_repro.inside.inputs.credentials import KEY_FILES

CACHE_VARIABLE = "HELM_REPRO_CACHE"
_COMPLETE = ".complete"


class LocalEngine:
    """Runs the entrypoint as a child process."""

    name = "local"

    def prepare(self, catalogue: Catalogue, leaderboard: Leaderboard) -> None:
        """Create the environment unless it exists; its folder's name holds the lock's digest."""
        directory = _environment(catalogue, leaderboard)
        if (directory / _COMPLETE).exists():
            return
        directory.parent.mkdir(parents=True, exist_ok=True)
        # Two runs started at once: the second waits for what the first creates.
        with Path(f"{directory}.lock").open("w") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX)
            if not (directory / _COMPLETE).exists():
                self._create(directory, catalogue, leaderboard)

    def _create(self, directory: Path, catalogue: Catalogue, leaderboard: Leaderboard) -> None:
        lock = lock_path(catalogue, leaderboard)
        python = catalogue.environment_of(leaderboard).python
        print(f"helm-repro: creating {directory} from {lock}", file=sys.stderr)
        _uv("venv", "--clear", "--quiet", "--python", python, str(directory))
        build_constraints = lock.with_name("build-constraints.txt")
        _uv(
            *("pip", "install", "--quiet", "--python", str(directory / "bin" / "python")),
            *("--require-hashes", "--no-deps", "--compile-bytecode"),
            *(("--build-constraints", str(build_constraints)) if build_constraints.exists() else ()),
            *("--requirements", str(lock)),
        )
        (directory / _COMPLETE).touch()

    def run(self, request: RunRequest, write: Write, write_error: Optional[Write] = None) -> int:
        """Run the entrypoint in a session of its own and pass signals on to it."""
        board = rendered_board(request.catalogue, request.leaderboard)
        python = environment_python(request.catalogue, request.leaderboard)
        request.make_output()
        variables = {"SERVER_HOST": "127.0.0.1", **request.variables}
        if request.publish:
            variables |= {"SERVER_HOST": request.publish[0], "PORT": str(request.publish[1])}
        variables |= {"HELM_REPRO_BOARD": str(board), "DATA_DIR": str(request.output.absolute())}
        entrypoint = [str(python), "-u", str(request.catalogue.root / "entrypoint.py")]
        # What the files hold is among the request's variables.
        left_out = {"PYTHONPATH", "PYTHONHOME", *KEY_FILES}
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        process = subprocess.Popen(
            [*entrypoint, *request.words],
            env={**inherited, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if write_error else subprocess.STDOUT,
            start_new_session=True,
        )
        with _signals_go_to(process):
            errors = threading.Thread(target=_pump, args=(process.stderr, write_error))
            errors.start()
            _pump(process.stdout, write)
            errors.join()
            return process.wait()


def _pump(stream: Optional[IO[bytes]], write: Optional[Write]) -> None:
    while stream and write and (chunk := os.read(stream.fileno(), 65536)):
        write(chunk)


def _cache(catalogue: Catalogue) -> Path:
    return Path(os.environ.get(CACHE_VARIABLE) or catalogue.root / ".cache")


def environment_python(catalogue: Catalogue, leaderboard: Leaderboard) -> Path:
    """The interpreter of the environment that :meth:`LocalEngine.prepare` creates."""
    return _environment(catalogue, leaderboard) / "bin" / "python"


def rendered_board(catalogue: Catalogue, leaderboard: Leaderboard) -> Path:
    """The leaderboard's board directory, complete with its schema; its name holds the digest of what it is made of.

    Processes that make it at the same time do not see each other's half.
    """
    boards = _cache(catalogue) / "boards"
    path = boards / f"{leaderboard.id}-{inputs_sha256(catalogue, leaderboard)[:12]}"
    if path.is_dir():
        return path
    boards.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=boards, prefix=".") as temporary:
        board = write_board(catalogue, leaderboard, Path(temporary, "board"))
        board.chmod(0o755)
        command = [
            str(environment_python(catalogue, leaderboard)),
            str(catalogue.root / "entrypoint.py"),
            "check-board",
        ]
        variables = {**os.environ, "HELM_REPRO_BOARD": str(board)}
        done = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise EngineError(f"local engine: {leaderboard.id}: {' '.join(done.stderr.split())[-600:]}")
        with contextlib.suppress(OSError):  # another process was first
            board.rename(path)
    return path


def _environment(catalogue: Catalogue, leaderboard: Leaderboard) -> Path:
    lock = lock_path(catalogue, leaderboard)
    if not lock.is_file():
        raise EngineError(f"{lock}: no such lock; make it with `make lock`")
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    return _cache(catalogue) / "environments" / f"{leaderboard.environment}-{digest}"


def _uv(*arguments: str) -> None:
    process = subprocess.run(
        [uv.find_uv_bin(), *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if process.returncode != 0:
        reason = " ".join(process.stderr.split())[-600:]
        raise EngineError(f"local engine: uv {arguments[0]} failed: {reason}")


@contextlib.contextmanager
def _signals_go_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    def forward(signum: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signum)

    previous = {signum: signal.signal(signum, forward) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
        if process.poll() is None:
            process.kill()


def remove_environments(catalogue: Catalogue) -> None:
    """Delete every environment this engine made."""
    shutil.rmtree(_cache(catalogue) / "environments", ignore_errors=True)
