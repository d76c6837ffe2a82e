"""What is compared: each function runs its contenders in turn, several times, in one session.

Only ratios within a session mean something; the machine's load hits all contenders alike
because they take turns.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import CACHED, MODEL, TOKENIZERS, UNCACHED, Measured, Place
from benchmarks.micro import measure as measure_micro
from benchmarks.workloads import Workload, exams, generated

LATENCY = 0.3
IN_FLIGHT = 32
CORES = len(os.sched_getaffinity(0))
Contenders = Mapping[str, Callable[[], Measured]]


def throughput(place: Place, repeats: int) -> dict[str, Any]:
    """(a) and (b): run a workload at equal requests in flight; time to the first request and to the end."""
    place.server.control(latency=LATENCY)
    results = {}
    for place.tokenizer in TOKENIZERS:
        for workload in (exams(8, 100), exams(57, 14), generated(100)):
            result = _workload(place, workload, repeats)
            title = f"{workload.title}, {place.tokenizer} tokenizer"
            results[f"{workload.name}, {place.tokenizer} tokenizer"] = {**result, "title": title}
    place.tokenizer = CACHED
    return results


def runners(place: Place, repeats: int) -> dict[str, Any]:
    """(b) again, where PyTorch is: HELM's MultiGPURunner imports it."""
    place.server.control(latency=LATENCY)
    return {w.name: _workload(place, w, repeats, with_multi_gpu_runner=True) for w in (exams(8, 100), exams(57, 14))}


def micro(place: Place, repeats: int) -> dict[str, Any]:
    """One answer through the request cache; pyperf decides how often."""
    return measure_micro(place.python)


def _workload(place: Place, workload: Workload, repeats: int, with_multi_gpu_runner: bool = False) -> dict[str, Any]:
    contenders: dict[str, Callable[[], Measured]] = {
        f"helm-run -n {IN_FLIGHT}": lambda: place.helm_run(IN_FLIGHT),
        f"ours, NUM_THREADS={IN_FLIGHT}": lambda: place.ours(IN_FLIGHT, "run"),
    }
    if with_multi_gpu_runner:
        contenders[f"MultiGPURunner, {CORES} × {IN_FLIGHT // CORES}"] = lambda: place.helm_run(
            IN_FLIGHT // CORES,
            *("--runner-class-name", "helm.benchmark.multi_gpu_runner.MultiGPURunner"),
            HELM_MAX_CONCURRENT_WORKERS=str(CORES),
        )
    result = _take_turns(place, workload, contenders, repeats)
    latency_floor = workload.requests * LATENCY / IN_FLIGHT
    for contender in result["contenders"].values():
        contender["floor"] = max(latency_floor, contender["cpu"] / CORES)
    return {**result, "title": workload.title, "requests": workload.requests, "latency_floor": latency_floor}


def resume(place: Place, repeats: int) -> dict[str, Any]:
    """(c): start again on a complete suite; beside it the least that HELM needs, its help and a plan."""
    place.server.control(latency=0)
    place.prepare(exams(57, 2))
    place.ours(IN_FLIGHT, "run")
    contenders: Contenders = {
        "helm-run --help": lambda: place.helm("helm-run", "--help"),
        "helm-run --skip-completed-runs": lambda: place.helm_run(IN_FLIGHT, "--skip-completed-runs"),
        "ours, plan": lambda: place.ours(IN_FLIGHT, "plan"),
        "ours": lambda: place.ours(IN_FLIGHT, "run"),
    }
    return _take_turns(place, None, contenders, repeats)


def overhead(place: Place, repeats: int) -> dict[str, Any]:
    """(d): the whole way to the tables, against HELM's bare commands one after the other."""
    place.server.control(latency=0)
    workload = exams(8, 20)

    def bare() -> Measured:
        run = place.helm_run(4)
        schema = str(place.board / "schema_smoke.yaml")
        summarize = place.helm("helm-summarize", "--suite", "suite", "--schema-path", schema)
        return dataclasses.replace(run, wall=run.wall + summarize.wall, cpu=run.cpu + summarize.cpu)

    contenders: Contenders = {
        "helm-run, helm-summarize": bare,
        "ours, JOBS=1": lambda: place.ours(4, "run", "summarize", JOBS="1"),
        "ours": lambda: place.ours(4, "run", "summarize"),
    }
    return _take_turns(place, workload, contenders, repeats)


def summarize(place: Place, repeats: int) -> dict[str, Any]:
    """Tables of a suite of 500 runs by 10 models, made anew and after nothing has changed."""
    place.server.control(latency=0)
    place.tokenizer = UNCACHED
    place.prepare(exams(50, 20))
    place.ours(IN_FLIGHT, "run")
    place.tokenizer = CACHED
    suite = place.path / "benchmark_output" / "runs" / "suite"
    _as_other_models(suite, 9)

    def anew(summarize: Callable[[], Measured]) -> Callable[[], Measured]:
        def measured() -> Measured:
            for path in suite.glob("*/display_*.json"):
                path.unlink()
            return summarize()

        return measured

    schema = str(place.board / "schema_smoke.yaml")
    contenders: Contenders = {
        "helm-summarize": anew(lambda: place.helm("helm-summarize", "--suite", "suite", "--schema-path", schema)),
        "ours": anew(lambda: place.ours(IN_FLIGHT, "summarize")),
        "ours, again": lambda: place.ours(IN_FLIGHT, "summarize"),
    }
    return _take_turns(place, None, contenders, repeats)


def _as_other_models(suite: Path, count: int) -> None:
    """Copy each run of a suite under the names of that many models that do not exist."""
    runs = [path.parent for path in suite.glob("*/stats.json")]
    for number in range(1, count + 1):
        for run in runs:
            names = {MODEL: f"{MODEL}-{number}", MODEL.replace("/", "_"): f"{MODEL.replace('/', '_')}-{number}"}
            copy = suite / run.name.replace(MODEL.replace("/", "_"), names[MODEL.replace("/", "_")])
            copy.mkdir()
            for file in run.iterdir():
                text = file.read_text(encoding="utf-8")
                for name, other in names.items():
                    text = text.replace(name, other)
                (copy / file.name).write_text(text, encoding="utf-8")


def growth(place: Place, repeats: int) -> dict[str, Any]:
    """(f): more run specs of two instances each, without latency."""
    place.server.control(latency=0)
    result = {}
    for count in (8, 80, 800):
        contenders: Contenders = {
            f"helm-run -n {IN_FLIGHT}": lambda: place.helm_run(IN_FLIGHT),
            "ours": lambda: place.ours(IN_FLIGHT, "run"),
        }
        result[str(count)] = _take_turns(place, exams(count, 2), contenders, repeats if count < 800 else 1)
    return result


ALL: Mapping[str, Callable[[Place, int], dict[str, Any]]] = {
    "throughput": throughput,
    "runners": runners,
    "micro": micro,
    "resume": resume,
    "overhead": overhead,
    "summarize": summarize,
    "growth": growth,
}


def _take_turns(place: Place, workload: Workload | None, contenders: Contenders, repeats: int) -> dict[str, Any]:
    measured: dict[str, list[Measured]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            if workload is not None:
                place.prepare(workload)
            measured[name].append(contender())
            print(f"{workload.name if workload else '-'}: {name}: {measured[name][-1]}", flush=True)
    return {"contenders": {name: _median(results) for name, results in measured.items()}}


def _median(results: list[Measured]) -> dict[str, Any]:
    record: dict[str, Any] = {"walls": [round(result.wall, 2) for result in results]}
    for field in dataclasses.fields(Measured):
        values = [getattr(result, field.name) for result in results]
        record[field.name] = None if None in values else round(statistics.median(values), 2)
    record["sent_twice"] = max(result.sent_twice for result in results)
    return record
