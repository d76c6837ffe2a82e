"""Which judges the runs of a plan ask: the catalogue's, or those of a jury that an entry names.

MedHELM's run specs list their judges (``annotator_models`` of their annotators, from HELM's own
jury or from an entry's ``jury_config_path``; helm/benchmark/run_specs/medhelm_run_specs.py,
0.5.16). Other annotators know theirs only in their code, and so does the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from helm_repro.inside.inputs.settings import Settings


def running(settings: Settings, plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What of the plan will be run."""
    return [spec for spec in plan["run_specs"] if spec["unavailable"] is None or settings.include_unavailable]


def functions(settings: Settings, plan: Mapping[str, Any]) -> set[str]:
    """Names of the run-spec functions of what will be run."""
    return {_function(spec) for spec in running(settings, plan)}


def active_judges(settings: Settings, plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The judges that the runs call, as in the catalogue; one that it does not know has no more than it needs."""
    called = functions(settings, plan)
    listed: dict[str, dict[str, str]] = {}
    for spec in running(settings, plan):
        listed.setdefault(_function(spec), {}).update(_jury(spec))
    known = settings.board.leaderboard.get("judges", [])
    active = []
    for judge in known:
        callers = called.intersection(judge["used_by"]) if judge["used_by"] else called
        if any(judge.get("deployment") in listed[caller] or not listed[caller] for caller in callers):
            active.append(judge)
    names = {judge.get("deployment") for judge in known}
    return active + list(_unknown(listed, names))


def _unknown(listed: Mapping[str, Mapping[str, str]], known: set[Any]) -> Iterator[Mapping[str, Any]]:
    models = {deployment: model for jury in listed.values() for deployment, model in jury.items()}
    for deployment in models.keys() - known:
        callers = [function for function, jury in listed.items() if deployment in jury]
        # HELM gives an answer that no judge graded its lowest grade (LLMJuryMetric).
        judge = {"model": models[deployment], "deployment": deployment, "on_failure": "score-missing"}
        yield {**judge, "used_by": callers}


def _jury(spec: Mapping[str, Any]) -> dict[str, str]:
    """Deployment -> model of the judges that a run spec lists."""
    annotators: Sequence[Mapping[str, Any]] = spec["run_spec"].get("annotators") or ()
    listed = [(annotator.get("args") or {}).get("annotator_models") or {} for annotator in annotators]
    return {judge["model_deployment"]: judge["model_name"] for models in listed for judge in models.values()}


def _function(spec: Mapping[str, Any]) -> str:
    return str(spec["entry"].partition(":")[0])
