"""What a suite's folder says: which runs are finished, and which only look so.

HELM counts a run as completed when its five files exist (``Runner._is_run_completed``,
helm/benchmark/runner.py), even if one was cut short by a crash, came from ``--dry-run``
or was made with other limits. Here a run is complete only if all five parse and agree
with each other and with the plan.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

RUN_FILES = ("run_spec.json", "scenario.json", "scenario_state.json", "stats.json", "per_instance_stats.json")

# Below this many tokens an answer is meant to be cut (a letter, a word), so being cut says nothing.
_LONG_ANSWER_TOKENS = 100


@dataclasses.dataclass(frozen=True)
class RunState:
    """One run as found on disk.

    Attributes:
        problem: why it is not complete; ``None`` if it is.
        requests: number of requests it holds.
        anomalies: counts of answers that hint at a broken set-up: ``empty``,
            ``truncated`` (only where the limit was at least 100 tokens), ``unjudged``.
    """

    name: str
    problem: Optional[str]
    requests: int = 0
    anomalies: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.problem is None


def examine(run_path: Path, planned: Optional[Mapping[str, Any]] = None) -> RunState:
    """Check one run's folder, against the planned run spec if given."""
    documents: dict[str, Any] = {}
    for name in RUN_FILES:
        try:
            documents[name] = json.loads((run_path / name).read_bytes())
        except FileNotFoundError:
            return RunState(run_path.name, f"{name} is missing")
        except (OSError, ValueError):
            return RunState(run_path.name, f"{name} is cut short or unreadable")
    try:
        problem = _disagreement(documents, planned)
        requests = documents["scenario_state.json"]["request_states"]
        anomalies = {} if problem else _anomalies(requests, documents["run_spec.json"])
        return RunState(run_path.name, problem, len(requests), anomalies)
    except (KeyError, TypeError, AttributeError) as error:
        return RunState(run_path.name, f"its files lack {error}")


def looks_complete(suite_path: Path, runs: Iterable[str]) -> bool:
    """Whether each run has the file that HELM writes last; :func:`examine` has the last word."""
    return all((suite_path / name / RUN_FILES[-1]).exists() for name in runs)


def is_complete(run_path: Path) -> bool:
    """Whether the run's five files are whole and agree with each other."""
    return examine(run_path).complete


def _disagreement(documents: Mapping[str, Any], planned: Optional[Mapping[str, Any]]) -> Optional[str]:
    run_spec, state = documents["run_spec.json"], documents["scenario_state.json"]
    if planned is not None and run_spec != planned:
        field = next(key for key in {**planned, **run_spec} if run_spec.get(key) != planned.get(key))
        return f"run_spec.json has another {field} than the plan"
    if state["adapter_spec"] != run_spec["adapter_spec"]:
        return "scenario_state.json was made with another adapter"
    requests = state["request_states"]
    if any("result" not in request for request in requests):
        return "scenario_state.json holds requests without an answer (a dry run)"
    instances = {request["instance"]["id"] for request in requests}
    limit = run_spec["adapter_spec"].get("max_eval_instances")
    if limit is not None and len(instances) > limit:
        return f"scenario_state.json holds {len(instances)} instances, the limit is {limit}"
    trials = {request["train_trial_index"] for request in requests}
    if trials and len(trials) != run_spec["adapter_spec"]["num_train_trials"]:
        return f"scenario_state.json holds {len(trials)} trials"
    scored = {item["instance_id"] for item in documents["per_instance_stats.json"]}
    if not scored <= instances:
        return "per_instance_stats.json names other instances than scenario_state.json"
    if requests and not documents["stats.json"]:
        return "stats.json is empty"
    return None


def _anomalies(requests: Sequence[Mapping[str, Any]], run_spec: Mapping[str, Any]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    # HELM's jury leaves a judge out that did not answer (LLMAsJuryAnnotator, annotation/model_as_judge.py).
    annotators = run_spec.get("annotators") or []
    jury = {name for annotator in annotators for name in (annotator.get("args") or {}).get("annotator_models") or ()}
    for state in requests:
        limit = state["request"].get("max_tokens", 0)
        completions = state["result"].get("completions", [])
        if limit > 0 and completions:
            first = completions[0]
            counts["empty"] += not first.get("text", "").strip() and not first.get("multimodal_content")
            reason = (first.get("finish_reason") or {}).get("reason")
            counts["truncated"] += limit >= _LONG_ANSWER_TOKENS and reason == "length"
        for judged in (state.get("annotations") or {}).values():
            if isinstance(judged, dict):
                # Without a prompt there was nothing to judge: the answer is empty.
                silent = jury and judged.get("prompt_text") and not jury <= judged.keys()
                counts["unjudged"] += bool(silent or any(value is None for value in judged.values()))
    return {name: count for name, count in counts.items() if count}


def set_aside_incomplete(suite_path: Path, states: Iterable[RunState]) -> list[Path]:
    """Move runs that are not complete out of the suite, so that HELM neither skips nor summarises them.

    ``helm-summarize`` reads every folder of the suite that holds a run_spec.json and a
    stats.json, whatever its name; hence out of it. Folders without any result file are
    left: HELM makes a run's folder before it starts.

    Args:
        states: the suite's runs as :func:`examine` found them.

    Returns:
        The new paths, ``benchmark_output/incomplete/<suite>/<run>.incomplete-<time>``. Nothing is deleted.
    """
    aside = suite_path.parents[1] / "incomplete" / suite_path.name
    moved = []
    for state in states:
        path = suite_path / state.name
        if state.complete or not any((path / file).exists() for file in RUN_FILES):
            continue
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S%f")
        aside.mkdir(parents=True, exist_ok=True)
        moved.append(path.rename(aside / f"{state.name}.incomplete-{stamp}"))
    return moved
