"""Files that HELM's metrics fetch while they score, fetched before anything is paid for.

HELM makes a run's metrics after the model and the judges have answered. What a metric cannot
fetch then, for want of pip or of a network, costs a whole run. Invariants: a file that is
there is not fetched again, one whose digest is known has it, and none is ever half there.

Where a file cannot be fetched it can be put by hand; then it is checked in the same way.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import shutil
import sys
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import tenacity

from helm_repro.inside.data import wheel
from helm_repro.inside.data.offline import python_folder
from helm_repro.inside.inputs.settings import Settings
from helm_repro.inside.log import say
from helm_repro.inside.system.files import replacing

SUMMARIZATION = "helm.benchmark.metrics.summarization_metrics.SummarizationMetric"
# spaCy's release -> version and SHA-256 of the model's wheel (https://github.com/explosion/spacy-models/releases,
# which version goes with which spaCy: compatibility.json there).
SPACY_MODELS = {"3.8": ("3.8.0", "1932429db727d4bff3deed6b34cfc05df17794f4a52eeb26cf8928f7c1a0fb85")}
_SPACY_RELEASES = "https://github.com/explosion/spacy-models/releases/download"
# As in helm/benchmark/metrics/summarization_metrics.py: for every summary, and for the tasks that people have rated.
_SCORES = "https://storage.googleapis.com/crfm-helm-public/source_datasets/metrics/summarization_metrics"
_RATINGS = "https://storage.cloud.google.com/crfm-helm-public/source_datasets/metrics/summarization_metrics"
_SECONDS = 60
_SECONDS_BETWEEN_ATTEMPTS = 2
_PACKAGE = "en_core_web_sm"


@dataclasses.dataclass(frozen=True)
class ScoringFile:
    """One file, where it comes from, and the runs that cannot be scored without it.

    Attributes:
        folder: where it is kept and where it can be put by hand.
        is_package: it is a wheel, which is unpacked where HELM's processes import from.
    """

    name: str
    url: str
    folder: Path
    runs: tuple[str, ...]
    sha256: Optional[str] = None
    is_package: bool = False

    @property
    def path(self) -> Path:
        return self.folder / self.name


def provide(settings: Settings, run_specs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Fetch what the metrics of these runs will need.

    Args:
        run_specs: name -> run spec.

    Returns:
        What cannot be had: the file, and why and what to do about it.
    """
    problems = []
    for file in needed(settings, run_specs):
        try:
            _provide(file, settings)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            runs = f"{len(file.runs)} run{'s' if len(file.runs) > 1 else ''} ({', '.join(file.runs)})"
            reason = " ".join(str(error).split()) or type(error).__name__
            message = f"cannot be had from {file.url}: {reason}; without it {runs} cannot be scored"
            problems.append((file.name, f"{message}; put it into {file.folder}"))
    return problems


def sources(settings: Settings) -> dict[str, str]:
    """File or folder of the cache -> the address it came from, for datasets.lock."""
    wheels = {
        str(python_folder(settings.prod_env / "cache") / name): _wheel_url(version)
        for version, _ in SPACY_MODELS.values()
        for name in (_PACKAGE, f"{_PACKAGE}-{version}.dist-info")
    }
    scores = _scores_folder(settings)
    return {**wheels, **{str(scores / name): f"{where}/{name}" for name, where in _scores(("cnndm", "xsum"))}}


def needed(settings: Settings, run_specs: Mapping[str, Any]) -> Iterator[ScoringFile]:
    """The files that these runs' metrics ask for, whether or not they are there."""
    tasks = {
        name: str(metric["args"].get("task", ""))
        for name, spec in run_specs.items()
        for metric in spec["metric_specs"]
        if metric["class_name"] == SUMMARIZATION
    }
    if not tasks:
        return
    release = ".".join(importlib.metadata.version("spacy").split(".")[:2])
    if release in SPACY_MODELS and not any(wheel.has(Path(folder), _PACKAGE) for folder in sys.path):
        version, sha256 = SPACY_MODELS[release]
        name, folder = _wheel_url(version).rpartition("/")[2], python_folder(settings.prod_env / "cache")
        yield ScoringFile(name, _wheel_url(version), folder, tuple(tasks), sha256, is_package=True)
    for name, where in _scores(tasks.values()):
        dataset = name.partition("_")[0] if name.endswith(".csv") else ""
        runs = tuple(run for run, task in tasks.items() if dataset in task)
        yield ScoringFile(name, f"{where}/{name}", _scores_folder(settings), runs)


def _scores(tasks: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names and addresses of what SummarizationMetric reads for its tasks."""
    yield "qafacteval.pk", _SCORES
    for dataset in ("cnndm", "xsum"):
        if any(dataset in task for task in tasks):
            yield from ((f"{dataset}_{shots}shots.csv", _RATINGS) for shots in (0, 5))


def _scores_folder(settings: Settings) -> Path:
    return settings.prod_env / "cache" / "metrics"


def _wheel_url(version: str) -> str:
    return f"{_SPACY_RELEASES}/{_PACKAGE}-{version}/{_PACKAGE}-{version}-py3-none-any.whl"


def _provide(file: ScoringFile, settings: Settings) -> None:
    if file.is_package:
        if not wheel.has(file.folder, _PACKAGE):
            _have(file, settings.offline)
            wheel.unpack(file.path)
        return
    _have(file, settings.offline)
    # HELM looks in the suite only (Runner.eval_cache_path, helm/benchmark/runner.py).
    target = settings.suite_path / "eval_cache" / file.name
    if settings.suite_path.is_dir() and not target.exists():
        target.parent.mkdir(exist_ok=True)
        with replacing(target) as temporary:
            shutil.copyfile(file.path, temporary)


def _have(file: ScoringFile, offline: bool) -> None:
    """Fetch a file that is not there.

    Raises:
        OSError: it cannot be had, or not be stored.
        ValueError: it is another file.
    """
    if file.path.exists():
        _check(file, file.path)
        return
    if offline:
        raise OSError("OFFLINE=1 forbids it; run `warm` with a network first")
    file.folder.mkdir(parents=True, exist_ok=True)
    say("fetch", file.url)
    with replacing(file.path) as temporary:
        _download(file.url, temporary)
        _check(file, temporary)


def _check(file: ScoringFile, path: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if file.sha256 not in (None, found):
        raise ValueError(f"the SHA-256 of {file.path} is {found}, not {file.sha256}")


def _download(url: str, path: Path) -> None:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_fixed(_SECONDS_BETWEEN_ATTEMPTS),
        retry=tenacity.retry_if_exception_type(OSError),
        reraise=True,
    )
    for attempt in retrying:
        with attempt, urllib.request.urlopen(url, timeout=_SECONDS) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file)
