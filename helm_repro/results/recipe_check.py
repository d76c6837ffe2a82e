"""Before any money is spent: would we ask what was asked for the published results?

Compares run specs, and instances where a dry run gave them, with those published. The
verdict is the one that a finished suite would get for the same reasons; only scores,
which do not exist yet, are left out.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from helm_repro.errors import ConfigurationError
from helm_repro.results.instances import InstanceCheck, InstanceSet, compare_instances, read_instances
from helm_repro.results.layout import Results, RunFiles
from helm_repro.results.matching import counterparts, model_in, models_of, runs_of
from helm_repro.results.recipe import Difference, differences
from helm_repro.results.store import FolderStore, NotPublished
from helm_repro.results.verdicts import Cause, Evidence, Judgement, Verdict, judge_recipe

_THREADS = 8


@dataclasses.dataclass(frozen=True)
class RecipeCheck:
    """One run; ``judgement`` is ``None`` if nothing speaks against comparing its score later."""

    run: str
    published_run: Optional[str]
    judgement: Optional[Judgement]
    recipe: tuple[Difference, ...] = ()
    instances: Optional[InstanceCheck] = None

    @property
    def label(self) -> str:
        """As in a table."""
        if self.judgement:
            return self.judgement.label
        return "same recipe and instances" if self.instances else "same recipe"

    @property
    def reason(self) -> str:
        """What the label rests on, or what is worth knowing all the same."""
        if self.judgement:
            return self.judgement.reason
        notes = [difference.describe() for difference in self.recipe]
        return "; ".join([*([self.instances.describe()] if self.instances else []), *notes])


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """A run spec that we would run; ``unavailable`` says why it cannot be."""

    name: str
    spec: Mapping[str, Any]
    unavailable: Optional[str] = None
    instances: Optional[InstanceSet] = None


def planned_runs(plan: Mapping[str, Any]) -> list[PlannedRun]:
    """The runs of ``plan --json``.

    Raises:
        ConfigurationError: it is not a plan.
    """
    try:
        return [PlannedRun(item["name"], item["run_spec"], item.get("unavailable")) for item in plan["run_specs"]]
    except (KeyError, TypeError) as error:
        raise ConfigurationError(f"--plan: not the output of `plan --json`: {error} is missing") from error


def dry_runs(benchmark_output: Path, suite: str) -> list[PlannedRun]:
    """The runs of a suite that HELM made with ``--dry-run``: run specs with their instances."""
    store = FolderStore(benchmark_output)
    names = sorted(path.parent.name for path in (benchmark_output / "runs" / suite).glob("*/run_spec.json"))
    runs = [RunFiles(store, suite, name) for name in names]
    return [PlannedRun(run.name, run.spec(), None, read_instances(run)) for run in runs]


def check_recipes(
    planned: Sequence[PlannedRun],
    published: Results,
    aliases: Mapping[str, str] = {},
    on_run: Callable[[str], None] = lambda name: None,
) -> list[RecipeCheck]:
    """Check every planned run.

    Args:
        aliases: our model -> the published model to compare it with, where the names differ.

    Raises:
        ConfigurationError: nothing of these models is published.
        PublishedError: a file could not be read as a whole.
    """
    spelled = {ours.replace("/", "_"): other.replace("/", "_") for ours, other in aliases.items()}
    matches: dict[str, Optional[str]] = {}
    for model in models_of(run.name for run in planned):
        theirs = runs_of(published.suites_by_run, spelled.get(model, model))
        if not theirs:
            raise ConfigurationError(
                f"--model {model}: not among the {len(models_of(published.suites_by_run))} models of "
                f"{published.where}; name another with --as OURS=PUBLISHED"
            )
        matches.update(counterparts([run.name for run in planned if model_in(run.name) == model], theirs))

    def work(run: PlannedRun) -> RecipeCheck:
        result = _check(run, matches.get(run.name), published)
        on_run(run.name)
        return result

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, planned))


def _check(run: PlannedRun, match: Optional[str], published: Results) -> RecipeCheck:
    if run.unavailable:
        return RecipeCheck(run.name, match, Judgement(Verdict.NOT_COMPARABLE, run.unavailable, Cause.DATA_CHANGED))
    if match is None:
        return RecipeCheck(run.name, None, judge_recipe(Evidence()))
    try:
        theirs = published.run(match)
        recipe = tuple(differences(run.spec, theirs.spec()))
    except NotPublished as error:
        return RecipeCheck(run.name, match, Judgement(Verdict.NOT_COMPARABLE, str(error), Cause.NOT_PUBLISHED))
    check = None
    if run.instances is not None:
        sampled = read_instances(theirs)
        check = compare_instances(run.instances, sampled) if sampled else None
    evidence = Evidence(published_run=match, recipe=recipe, instances=check)
    return RecipeCheck(run.name, match, judge_recipe(evidence), recipe, check)
