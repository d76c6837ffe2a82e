"""HELM's layout of results: one reader for releases, suites and Classic's old suites.

Below ``benchmark_output`` (helm/benchmark/presentation/summarize.py, 0.5.16):

* ``releases/<release>/``: ``summary.json``, ``schema.json``, ``runs.json``, ``run_specs.json``,
  ``runs_to_run_suites.json``, ``groups.json``, ``groups_metadata.json``, ``costs.json``,
  ``groups/<group>.json``, ``groups/json/<group>_<table>.json``, ``groups/latex/<group>_<table>.tex``.
* ``runs/<suite>/<run>/``: ``run_spec.json``, ``scenario.json``, ``scenario_state.json``, ``stats.json``,
  ``per_instance_stats.json`` from helm-run; ``instances.json``, ``display_predictions.json``,
  ``display_requests.json`` from helm-summarize.
* A suite that was summarised by itself holds the first list's files in ``runs/<suite>/``: ours,
  and what VHELM, AHELM, Image2Struct and Classic before v0.3.0 published. Those before HELM
  0.2.4 have neither ``runs_to_run_suites.json`` nor ``schema.json``; before 0.2.2 no display files.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Optional

from helm_repro.results.store import NotPublished, PublishedError, Store, get_json

TABLE_FILES = (
    "summary.json",
    "schema.json",
    "runs.json",
    "run_specs.json",
    "runs_to_run_suites.json",
    "groups.json",
    "groups_metadata.json",
    "costs.json",
)
RUN_FILES = ("run_spec.json", "scenario.json", "scenario_state.json", "stats.json", "per_instance_stats.json")
DISPLAY_FILES = ("instances.json", "display_predictions.json", "display_requests.json")


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """The files of one run, each read when asked for."""

    store: Store
    suite: str
    name: str

    @property
    def path(self) -> str:
        return f"runs/{self.suite}/{self.name}"

    def json(self, file: str) -> Any:
        """One of ``RUN_FILES`` or ``DISPLAY_FILES``.

        Raises:
            NotPublished: the run has no such file.
            PublishedError: it is not whole.
        """
        return get_json(self.store, f"{self.path}/{file}")

    def spec(self) -> dict[str, Any]:
        """The run spec as HELM wrote it."""
        spec = self.json("run_spec.json")
        if not isinstance(spec, dict) or "adapter_spec" not in spec:
            raise PublishedError(f"{self.store.where(self.path)}/run_spec.json: is not a run spec")
        return spec

    def stats(self) -> list[dict[str, Any]]:
        """Aggregated statistics: ``{"name": {"name", "split", …}, "count", "sum", "mean", …}``."""
        stats = self.json("stats.json")
        if not isinstance(stats, list):
            raise PublishedError(f"{self.store.where(self.path)}/stats.json: is not a list of statistics")
        return stats


class Results:
    """A release, or a suite that was summarised by itself."""

    def __init__(self, store: Store, root: str, name: str):
        """Use :func:`open_results` unless ``root`` is known to exist."""
        self.store = store
        self.root = root
        self.name = name

    def table_file(self, file: str) -> Any:
        """One of ``TABLE_FILES``, or ``groups/<group>.json``.

        Raises:
            NotPublished: there is none.
            PublishedError: it is not whole.
        """
        return get_json(self.store, f"{self.root}/{file}")

    @functools.cached_property
    def summary(self) -> dict[str, Any]:
        """``{"release" or "suite", "suites", "date"}``."""
        return dict(self.table_file("summary.json"))

    @functools.cached_property
    def schema(self) -> Optional[dict[str, Any]]:
        """The schema with ``models`` added, or ``None`` where HELM did not write it yet."""
        try:
            return dict(self.table_file("schema.json"))
        except NotPublished:
            return None

    @functools.cached_property
    def suites_by_run(self) -> dict[str, str]:
        """Run name -> suite that holds it. Names are folder names."""
        try:
            return dict(self.table_file("runs_to_run_suites.json"))
        except NotPublished:
            # HELM before 0.2.4: a suite by itself, and its list of run specs is the only list.
            suite = self.root.removeprefix("runs/")
            return {folder_name(spec["name"]): suite for spec in self.table_file("run_specs.json")}

    def run(self, name: str) -> RunFiles:
        """The files of a run.

        Raises:
            NotPublished: it is not of this release.
        """
        try:
            return RunFiles(self.store, self.suites_by_run[name], name)
        except KeyError:
            raise NotPublished(f"{self.where}: no run {name}") from None

    def tables(self, group: str) -> list[dict[str, Any]]:
        """The tables of a run group, ``[{"title", "name", "header", "rows"}]``; none: an empty list."""
        try:
            return list(self.table_file(f"groups/{group}.json"))
        except NotPublished:
            return []

    @property
    def where(self) -> str:
        return self.store.where(self.root)


def open_results(store: Store, name: str) -> Results:
    """A release of that name, or else a suite.

    Raises:
        NotPublished: there is neither.
        PublishedError: the address gives no answer.
    """
    for root in (f"releases/{name}", f"runs/{name}"):
        results = Results(store, root, name)
        try:
            results.summary  # noqa: B018 - asking for it is the test
        except NotPublished:
            continue
        return results
    raise NotPublished(f"{store.where()}: no release or suite {name} (neither {_paths(name)} holds a summary.json)")


class NothingPublished(Results):
    """Stands for the published side where there is none."""

    def __init__(self) -> None:
        super().__init__(_Nothing(), "", "nothing published")

    @functools.cached_property
    def suites_by_run(self) -> dict[str, str]:
        return {}

    def tables(self, group: str) -> list[dict[str, Any]]:
        """None."""
        return []


class _Nothing:
    def get(self, path: str) -> bytes:
        raise NotPublished(f"{path}: nothing is published")

    def where(self, path: str = "") -> str:
        return path


def folder_name(run_name: str) -> str:
    """The folder of a run: HELM replaces ``/`` in run names (RunSpec.__post_init__)."""
    return run_name.replace("/", "_")


def _paths(name: str) -> str:
    return f"releases/{name} nor runs/{name}"
