"""How many processes share the work, and which run spec goes first."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

from helm.benchmark.run_spec import RunSpec

from helm_repro.inside.deployments.client_kinds import runs_here
from helm_repro.inside.deployments.substitute import answering
from helm_repro.inside.system.cpus import usable_cpus

JOBS_VARIABLE = "JOBS"
MOST_AUTOMATIC_JOBS = 4


def choose_jobs(asked: str, run_specs: Sequence[RunSpec], judges: Collection[str] = ()) -> int:
    """Number of processes.

    Args:
        asked: a number, or ``auto``: two per CPU, since they mostly wait for the model, at most
            ``MOST_AUTOMATIC_JOBS``, and one if a model or judge is computed on this machine, since
            each process would load it.
        judges: deployments that the run specs' judges may be asked at.
    """
    if asked != "auto":
        jobs = int(asked)
    elif any(map(_is_local, {*judges, *(spec.adapter_spec.model_deployment for spec in run_specs)})):
        jobs = 1
    else:
        jobs = min(2 * usable_cpus(), MOST_AUTOMATIC_JOBS)
    return max(1, min(jobs, len(run_specs)))


def judges_of(run_specs: Sequence[RunSpec], known: Collection[str]) -> list[str]:
    """Deployments that may be asked for the judges of these run specs, past substitutes.

    Args:
        known: deployments of the leaderboard's judges. Most annotators and all critique metrics name
            theirs only in their code; those of a jury are in the run spec (see ``models.juries``).
    """
    names = {*known} if any(map(_is_judged, run_specs)) else set()
    for annotator in (annotator for spec in run_specs for annotator in spec.annotators or ()):
        jury = (annotator.args or {}).get("annotator_models") or {}
        names |= {judge.model_deployment for judge in jury.values()}
    return sorted({deployment.name for deployment in map(answering, names) if deployment})


def longest_first(run_specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Order by the number of requests that the run spec allows for; equal ones keep their order."""
    return sorted(run_specs, key=_weight, reverse=True)


def _weight(run_spec: RunSpec) -> int:
    adapter = run_spec.adapter_spec
    variants = 1
    augmenter = run_spec.data_augmenter_spec
    if augmenter.should_augment_eval_instances:
        variants = len(augmenter.perturbation_specs) * augmenter.seeds_per_instance
        variants += bool(augmenter.should_include_original_eval)
    # These ask once per reference (helm/benchmark/adaptation/adapters); four is the usual number.
    if adapter.method.startswith("multiple_choice_separate"):
        variants *= 8 if adapter.method.endswith("calibrated") else 4
    return int(adapter.max_eval_instances or 1000) * variants * max(1, int(adapter.num_train_trials))


def _is_judged(run_spec: RunSpec) -> bool:
    # Critique metrics ask the model that CRITIQUE_MODEL_NAME names, and are called so (helm/benchmark/metrics).
    return bool(run_spec.annotators) or any("Critique" in metric.class_name for metric in run_spec.metric_specs)


def _is_local(deployment_name: str) -> bool:
    """Whether the deployment's client computes in this process: one of HELM's, or of the user's if it holds torch.

    The module of the latter must be imported.
    """
    deployment = answering(deployment_name)
    if deployment is None:
        return False
    class_name = deployment.client_spec.class_name
    return runs_here(class_name) or hasattr(sys.modules.get(class_name.rpartition(".")[0]), "torch")
