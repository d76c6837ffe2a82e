"""``run_shards`` with an engine that only pretends: what each shard gets, how exit codes and signals combine."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.engines.request import RunRequest
from helm_repro.engines.shards import run_shards
from helm_repro.errors import ConfigurationError, EngineError


class PretendEngine:
    """Writes what it was asked, in pieces, and ends as the variable CODES says."""

    name = "pretend"

    def prepare(self, *_: object) -> None: ...

    def run(self, request: RunRequest, write: Callable[[bytes], None]) -> int:
        asked = {"words": request.words, "variables": dict(request.variables), "publish": request.publish}
        line = json.dumps(asked).encode() + b"\n"
        for piece in (line[:20], line[20:]):
            write(piece)
            time.sleep(0.05)
        if "SHARD_INDEX" not in request.variables:
            return 0
        code = request.variables.get("CODES", "0,0,0,0").split(",")[int(request.variables["SHARD_INDEX"])]
        if code == "refuse":
            raise EngineError("pretend: cannot")
        if code == "wait":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
            write(b"waiting\n")
            time.sleep(60)
        return int(code)


def _run(catalogue: Catalogue, stages: str, count: int, **variables: str) -> tuple[int, list[str]]:
    request = RunRequest(
        catalogue, catalogue.leaderboards["smoke"], (), {"STAGES": stages, **variables}, Path(), ("127.0.0.1", 8000)
    )
    chunks: list[bytes] = []
    code = run_shards(PretendEngine(), request, count, chunks.append)
    return code, b"".join(chunks).decode().splitlines()


def test_each_shard_runs_its_part_and_the_rest_follows_once(catalogue: Catalogue) -> None:
    code, lines = _run(catalogue, "run,summarize,server", 4, MODELS_TO_RUN="a/b")
    assert code == 0
    shards = dict(line.removeprefix("shard ").split(": ", 1) for line in lines[:-1])
    assert sorted(shards) == ["0", "1", "2", "3"]
    for index, text in shards.items():
        assert json.loads(text) == {
            "words": ["run"],
            "variables": {"MODELS_TO_RUN": "a/b", "SHARD_INDEX": index, "SHARD_COUNT": "4"},
            "publish": None,
        }
    last = json.loads(lines[-1])
    assert last["words"] == ["summarize", "server"]
    assert last["variables"] == {"MODELS_TO_RUN": "a/b"}
    assert last["publish"] == ["127.0.0.1", 8000]


@pytest.mark.parametrize(
    ("codes", "expected", "summarized"),
    [
        ("0,0", 0, True),
        ("0,3", 3, True),
        ("0,4", 3, True),
        ("4,4", 4, False),
        ("5,2", 3, True),
        ("0,refuse", 3, True),
        ("refuse,refuse", 2, False),
        ("130,0", 130, False),
        ("143,3", 143, False),
    ],
)
def test_exit_codes_become_one(catalogue: Catalogue, codes: str, expected: int, summarized: bool) -> None:
    code, lines = _run(catalogue, "run,summarize", 2, CODES=codes)
    assert code == expected
    assert any('"summarize"' in line for line in lines) == summarized
    assert sum("helm-repro: error pretend: cannot" in line for line in lines) == codes.count("refuse")


def test_a_signal_reaches_every_shard(catalogue: Catalogue) -> None:
    threading.Timer(2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    code, lines = _run(catalogue, "run,summarize", 2, CODES="wait,wait")
    assert code == 143
    assert sum(line.endswith("waiting") for line in lines) == 2


def test_a_new_suite_for_each_shard_is_refused_before_any_starts(catalogue: Catalogue) -> None:
    with pytest.raises(ConfigurationError, match="RESUME=new-suite: shards need one name"):
        _run(catalogue, "run,summarize", 2, RESUME="new-suite")
    assert _run(catalogue, "run,summarize", 1, RESUME="new-suite")[0] == 0


def test_one_shard_and_other_stages_are_as_without(catalogue: Catalogue) -> None:
    for stages, count in (("run,summarize", 1), ("summarize", 3)):
        code, (line,) = _run(catalogue, stages, count)
        assert code == 0
        assert "SHARD_INDEX" not in line
