"""One answer through HELM's cache, kept or found, by HELM's store and by ours.

pyperf starts this file again in processes of HELM's Python; there pyperf comes from the
environment that this was started in, behind all of HELM's own packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_PACKAGES = "HELM_REPRO_BENCH_PACKAGES"
sys.path[:] = [str(ROOT), *(path for path in sys.path if path != str(Path(__file__).parent))]
if os.environ.get(_PACKAGES):
    sys.path.append(os.environ[_PACKAGES])

import pyperf  # noqa: E402

_ANSWER = {"completions": [{"text": "B", "logprob": 0.0}], "padding": "x" * 2000}
STORES = ("HELM", "ours")
CASES = ("an answer is kept", "an answer is found")


def measure(python: Path) -> dict[str, dict[str, float]]:
    """Case -> store -> mean seconds per answer."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory, "micro.json")
        variables = {**os.environ, _PACKAGES: str(Path(pyperf.__file__).parents[1])}
        worker = [str(python), __file__, "--output", str(output), "--processes", "5", "--values", "3"]
        worker += ["--inherit-environ", _PACKAGES, "--quiet"]
        subprocess.run(worker, env=variables, check=True)
        suite = pyperf.BenchmarkSuite.load(str(output))
        return {case: {store: suite.get_benchmark(f"{case}, {store}").mean() for store in STORES} for case in CASES}


def _cache(store: str, directory: str) -> Any:
    from helm.common.cache import Cache, SqliteCacheConfig

    if store == "ours":
        from helm_repro.inside.parallel.metering import Meter, use_stores
        from helm_repro.inside.parallel.request_cache import AnswerFiles
        from helm_repro.inside.system.locks import Claims

        use_stores(AnswerFiles(Path(directory), Path(directory)), Meter(Claims(Path(directory)), None))
    return Cache(SqliteCacheConfig(str(Path(directory, "openai.sqlite"))))


def _seconds(loops: int, store: str, found: bool) -> float:
    with tempfile.TemporaryDirectory() as directory:
        cache = _cache(store, directory)

        def answers() -> None:
            for number in range(loops):
                cache.get({"prompt": f"{number}" + "q" * 1500}, lambda: _ANSWER)

        if found:
            answers()
        started = time.perf_counter()
        answers()
        return time.perf_counter() - started


def main() -> None:
    """As pyperf's master or worker."""
    runner = pyperf.Runner()
    for case, found in zip(CASES, (False, True), strict=True):
        for store in STORES:
            timed: Callable[..., float] = _seconds
            runner.bench_time_func(f"{case}, {store}", timed, store, found)


if __name__ == "__main__":
    main()
