"""Which run specs a leaderboard gives for these models. Runs with HELM imported.

``helm-run`` constructs every run spec before it runs the first one, so a single
entry that cannot be constructed (raft, legalbench and big_bench download while
constructing) ends it before any work is done. Here HELM's own constructor is
called entry by entry, and an entry that fails is a named failure of that entry.

Each kept entry is rewritten with its model spelled out, which is what
``--models-to-run`` does in HELM's ``run_entries_to_run_specs``
(helm/benchmark/run.py, 0.5.12 and later), so run specs are HELM's own.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.data import working_files
from helm_repro.inside.plan.caveats import concerns, in_force
from helm_repro.inside.plan.conf import read_entries
from helm_repro.inside.plan.entry import Entry, is_reasoning, rewrite_for_any_model

# Groups defined by tags of a model's metadata (ModelRunExpander in helm/benchmark/run_expander.py).
# Looked up by tag, not through HELM's expander, because that one drops deprecated models
# and the published leaderboards are full of them.
_GROUP_TAGS = {
    "text": ("TEXT_MODEL_TAG",),
    "code": ("CODE_MODEL_TAG",),
    "text_code": ("TEXT_MODEL_TAG", "CODE_MODEL_TAG"),
    "full_functionality_text": ("FULL_FUNCTIONALITY_TEXT_MODEL_TAG",),
    "limited_functionality_text": ("LIMITED_FUNCTIONALITY_TEXT_MODEL_TAG",),
    "instruction_following": ("INSTRUCTION_FOLLOWING_MODEL_TAG",),
    "text_to_image": ("TEXT_TO_IMAGE_MODEL_TAG",),
    "vlm": ("VISION_LANGUAGE_MODEL_TAG",),
    "audiolm": ("AUDIO_LANGUAGE_MODEL_TAG",),
    "ablation": ("ABLATION_MODEL_TAG",),
}


def make_plan(
    conf_path: str,
    models: Sequence[str],
    priority: int,
    max_eval_instances: int,
    num_train_trials: int,
    output_path: str,
    local_path: str,
    model_groups: str,
    include_unavailable: bool,
    leaderboard: Mapping[str, Any],
    data_paths: Mapping[str, str],
    reasoning_models: Optional[Sequence[str]],
    substitutes: Sequence[str],
) -> dict[str, Any]:
    """Construct every run spec that ``helm-run`` would.

    Where several entries give a run of the same name, the last one counts: in HELM each
    writes over the files of the one before (``Runner.run_one``, helm/benchmark/runner.py).

    Args:
        data_paths: ``data_path`` as in the entries -> the user's own copy (see ``own_data``).
        reasoning_models: models that reason before they answer; ``None``: as the catalogue says.
        substitutes: models or deployments that stand in for judges; they must be known too.

    Returns:
        ``{"run_specs": [{"name", "entry", "run_spec", "unavailable"}], "failed": [{"entry", "reason"}],
        "left_out": [{"entry", "reason"}], "entries": [{"conf": run entry for helm-run, "runs": [names],
        "shared": [names of its runs that a later entry gives]}],
        "unknown_models": [{"model", "similar", "reason"}]}``; with unknown models the rest is empty.
        ``client_modules`` and ``run_modules`` are what the runs' first requests import.
    """
    from helm.benchmark.config_registry import (
        register_builtin_configs_from_helm_package,
        register_configs_from_directory,
    )
    from helm.benchmark.runner import set_benchmark_output_path

    from helm_repro.inside.plan.lookups import remembered, run_spec_modules
    from helm_repro.inside.process.warm import modules_of_deployments, modules_of_scenarios

    register_builtin_configs_from_helm_package()
    register_configs_from_directory(local_path)
    # Run spec functions keep what they download below this path (helm/benchmark/runner.py).
    set_benchmark_output_path(output_path)

    plan: dict[str, Any] = {"run_specs": [], "failed": [], "left_out": [], "entries": [], "unknown_models": []}
    entries = [entry for entry in read_entries(Path(conf_path)) if entry.priority is None or entry.priority <= priority]
    plan["unknown_models"] = _unknown_models(models, substitutes, {entry.deployment for entry in entries})
    if plan["unknown_models"]:
        return plan

    per_model = _per_model(entries, models, model_groups, leaderboard.get("any_model"), reasoning_models)
    seen: set[str] = set()
    with remembered():
        for entry, model, reason in per_model:
            if reason:
                plan["left_out"].append({"entry": entry.description, "reason": reason})
                continue
            explicit = entry.with_model(model).with_groups(leaderboard.get("entry_groups", {}))
            explicit = explicit.with_data_path(data_paths)
            try:
                run_specs = _construct(explicit, model, max_eval_instances, num_train_trials)
            except Exception as error:
                plan["failed"].append({"entry": entry.description, "reason": _one_line(error)})
                continue
            if not run_specs:
                plan["left_out"].append({"entry": entry.description, "reason": f"gives no run spec for {model}"})
                continue
            unavailable = _unavailable(entry.description, leaderboard.get("caveats", []), Path(output_path))
            names = list(dict.fromkeys(spec["name"] for spec in run_specs))
            if not seen.isdisjoint(names):
                _overwrite(plan, names, entry.description)
            seen.update(names)
            for spec in {spec["name"]: spec for spec in run_specs}.values():
                plan["run_specs"].append(
                    {"name": spec["name"], "entry": entry.description, "run_spec": spec, "unavailable": unavailable}
                )
            if unavailable is None or include_unavailable:
                plan["entries"].append({"conf": dataclasses.asdict(explicit), "runs": names, "shared": []})
    specs = [spec["run_spec"] for spec in plan["run_specs"]]
    working_files.provide(specs, Path.cwd())
    plan["client_modules"] = modules_of_deployments(spec["adapter_spec"]["model_deployment"] for spec in specs)
    functions = {spec["entry"].partition(":")[0] for spec in plan["run_specs"]}
    plan["run_modules"] = sorted({module for name, module in run_spec_modules().items() if name in functions})
    plan["run_modules"] += modules_of_scenarios(spec["scenario_spec"]["class_name"] for spec in specs)
    return plan


def _overwrite(plan: dict[str, Any], names: Sequence[str], by: str) -> None:
    """Take runs of these names, given by earlier entries, out of the plan."""
    for spec in [spec for spec in plan["run_specs"] if spec["name"] in names]:
        plan["run_specs"].remove(spec)
        reason = f"its run {spec['name']} is overwritten by that of {by}, as in HELM"
        plan["left_out"].append({"entry": spec["entry"], "reason": reason})
    for item in plan["entries"]:
        item["shared"] += [name for name in item["runs"] if name in names]
        item["runs"] = [name for name in item["runs"] if name not in names]
    plan["entries"] = [item for item in plan["entries"] if item["runs"]]


def _per_model(
    entries: Sequence[Entry],
    models: Sequence[str],
    model_groups: str,
    rule: Optional[Mapping[str, Any]],
    reasoning_models: Optional[Sequence[str]],
) -> Iterator[tuple[Entry, str, Optional[str]]]:
    """Yield (entry, model, why it is left out or None) in HELM's order: entry by entry, model by model."""
    named = {name for entry in entries for name in (entry.model, entry.deployment) if name and "/" in name}
    # A conf of the user's own without the pattern's model needs no rule.
    derived = {
        model: rewrite_for_any_model(entries, rule, is_reasoning(model, rule, reasoning_models))
        for model in models
        if rule and model not in named and rule["base"] in named
    }
    if derived and len(derived) == len(models):
        for model, rewritten in derived.items():
            for entry in rewritten:
                yield entry, model, None
        return
    for entry in entries:
        if entry.model and "/" in entry.model:
            fitting = [model for model in models if model in (entry.model, entry.deployment)]
            for model in fitting:
                yield entry, model, None
            # Where entries are derived for a model, those of others are what they are derived from.
            if not fitting and not derived:
                yield entry, models[0], f"is for {entry.model}"
            continue
        for model in models:
            if model_groups == "strict" and entry.model and not _in_group(model, entry.model):
                yield entry, model, f"{model} does not belong to the group model={entry.model}"
            else:
                yield entry, model, None
    for model, rewritten in derived.items():
        for entry in rewritten:
            yield entry, model, None


def _construct(entry: Entry, model: str, max_eval_instances: int, num_train_trials: int) -> list[dict[str, Any]]:
    from helm.benchmark.presentation.run_entry import RunEntry
    from helm.benchmark.run import run_entries_to_run_specs
    from helm.common.general import asdict_without_nones

    helm_entry = RunEntry(entry.description, entry.priority, None if entry.groups is None else list(entry.groups))
    specs = run_entries_to_run_specs(
        [helm_entry],
        max_eval_instances=max_eval_instances,
        num_train_trials=num_train_trials,
        models_to_run=[model],
    )
    return [asdict_without_nones(spec) for spec in specs]


def _unknown_models(
    models: Sequence[str], substitutes: Sequence[str], named: Collection[Optional[str]]
) -> list[dict[str, Any]]:
    """Names that HELM cannot run by, each with those that may have been meant.

    A deployment will do for a judge, and where an entry names it. Anywhere else HELM takes its
    last two parts for the model (``ModelRunExpander``, helm/benchmark/run_expander.py): it accepts
    litellm/openai/gpt-4o, and constructs no run spec at all for together/llama-2-7b, meta/llama-2-7b's.
    """
    from helm.benchmark.model_metadata_registry import get_all_models

    known = get_all_models()
    unknown: list[dict[str, Any]] = []
    for name in (*models, *substitutes):
        try:
            of = None if name in known else _model_of_deployment(name)
        except Exception as error:  # the hub's client, asked for a model of the hub, ends in whatever it likes
            unknown.append({"model": name, "similar": [], "reason": _one_line(error)})
            continue
        if name in known or (of and (name in substitutes or name in named or of == "/".join(name.split("/")[-2:]))):
            continue
        similar = [of] if of else difflib.get_close_matches(name, known, 3, 0.6)
        unknown.append({"model": name, "similar": similar, "reason": None})
    return unknown


def _model_of_deployment(name: str) -> Optional[str]:
    from helm.benchmark.model_deployment_registry import get_model_deployment

    try:
        deployment = get_model_deployment(name)
    except ValueError:
        return None
    return str(deployment.model_name or name)


def _in_group(model: str, group: str) -> bool:
    from helm.benchmark.model_metadata_registry import get_model_metadata
    from helm.benchmark.run_expander import ModelRunExpander

    base, _, family = group.partition("_")
    if base == "ablation" and family:
        return _in_group(model, "ablation") and _in_group(model, family)
    if group in ("all", "default"):
        return True
    if group in _GROUP_TAGS:
        try:
            tags = get_model_metadata(model).tags
        except ValueError:
            return group in ("text", "text_code", "full_functionality_text")
        return any(tag in tags for tag in _GROUP_TAGS[group])
    return model in ModelRunExpander(group).get_model_group_to_model_names().get(group, [group])


def _unavailable(description: str, caveats: Sequence[Mapping[str, Any]], output_path: Path) -> Optional[str]:
    for caveat in caveats:
        if not caveat.get("skip") or not in_force(caveat) or not concerns(caveat, description):
            continue
        if caveat.get("own_copy") and (output_path / caveat["own_copy"]).exists():
            continue
        return f"{caveat['what']}: {caveat['reason']}"
    return None


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500]
