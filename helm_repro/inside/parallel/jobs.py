"""How many processes share the work, and which run spec goes first."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from helm.benchmark.model_deployment_registry import get_model_deployment
from helm.benchmark.run_spec import RunSpec

from helm_repro.inside.deployments.client_kinds import runs_here
from helm_repro.inside.system.cpus import usable_cpus

JOBS_VARIABLE = "JOBS"
MOST_AUTOMATIC_JOBS = 4


def choose_jobs(asked: str, run_specs: Sequence[RunSpec]) -> int:
    """Number of processes.

    Args:
        asked: a number, or ``auto``: two per CPU, since they mostly wait for the model, at most
            ``MOST_AUTOMATIC_JOBS``, and one if a model is computed on this machine, since each
            process would load it.
    """
    if asked != "auto":
        jobs = int(asked)
    elif any(_is_local(deployment) for deployment in {spec.adapter_spec.model_deployment for spec in run_specs}):
        jobs = 1
    else:
        jobs = min(2 * usable_cpus(), MOST_AUTOMATIC_JOBS)
    return max(1, min(jobs, len(run_specs)))


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


def _is_local(deployment_name: str) -> bool:
    """Whether the deployment's client computes in this process: one of HELM's, or of the user's if it holds torch.

    The module of the latter must be imported.
    """
    try:
        class_name = get_model_deployment(deployment_name).client_spec.class_name
    except ValueError:
        return False
    return runs_here(class_name) or hasattr(sys.modules.get(class_name.rpartition(".")[0]), "torch")
