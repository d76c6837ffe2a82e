"""A suite against a release: every model, run and scenario, and what could not be compared.

Also two suites against each other: a release is a suite that someone else summarised.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Optional

from helm_repro.catalogue import Leaderboard
from helm_repro.errors import ConfigurationError
from helm_repro.results import bootstrap
from helm_repro.results.judges import Replaced, replacements_of, retired_judge
from helm_repro.results.layout import Results, folder_name
from helm_repro.results.matching import counterparts, model_in, models_of, runs_of
from helm_repro.results.run_comparison import RunComparison, Side, compare_run, describe_alone
from helm_repro.results.scenarios import ScenarioComparison, gather
from helm_repro.results.statistics import Headline, headlines, total
from helm_repro.results.store import NotPublished, PublishedError
from helm_repro.results.suite_record import Failure
from helm_repro.results.verdicts import Evidence, Judgement, Verdict, judge

# Files in flight: enough to hide latency, few enough to be polite.
_THREADS = 8


@dataclasses.dataclass(frozen=True)
class Verification:
    """Scenarios in the suite's order, model by model.

    Attributes:
        unmatched: published runs of these models that our suite does not hold.
        skipped: runs of ours of which the schema shows nothing.
    """

    ours: Results
    published: Results
    models: Mapping[str, str]
    scenarios: tuple[ScenarioComparison, ...]
    unmatched: tuple[str, ...]
    skipped: tuple[str, ...]
    confidence: float

    @property
    def runs(self) -> list[RunComparison]:
        return [run for scenario in self.scenarios for run in scenario.runs]

    def counts(self) -> dict[Verdict, int]:
        """Number of scenarios for each verdict that occurs, best first."""
        found = [scenario.judgement.verdict for scenario in self.scenarios]
        return {verdict: found.count(verdict) for verdict in Verdict if verdict in found}


def verify(
    ours: Results,
    published: Results,
    models: Sequence[str] = (),
    aliases: Mapping[str, str] = {},
    leaderboard: Optional[Leaderboard] = None,
    failures: Mapping[str, Failure] = {},
    confidence: float = bootstrap.CONFIDENCE,
    on_run: Callable[[str], None] = lambda name: None,
    replaced: frozenset[Replaced] = frozenset(),
) -> Verification:
    """Compare every run of the models that ours holds or should hold.

    Args:
        models: of ours; none: all.
        aliases: our model -> the model to compare it with, where the names differ.
        leaderboard: knows judges that are retired.
        failures: our run name -> why it has no result.
        on_run: told each run's name when it is done.
        replaced: judges that scored one side only.

    Raises:
        ConfigurationError: ours has no such model.
        PublishedError: a file could not be read as a whole.
    """
    names = [*ours.suites_by_run, *(folder_name(name) for name in failures if name not in ours.suites_by_run)]
    pairs = _models(names, models, aliases)
    schema = published.schema or ours.schema or {}
    jobs: list[tuple[str, str, Optional[str]]] = []
    unmatched: list[str] = []
    for model, other in pairs.items():
        theirs = runs_of(published.suites_by_run, other)
        mine = [name for name in names if model_in(name) == model.replace("/", "_")]
        matched = counterparts(mine, theirs)
        jobs += [(model, name, matched[name]) for name in mine]
        unmatched += sorted(set(theirs.values()) - set(matched.values()))

    def work(job: tuple[str, str, Optional[str]]) -> list[RunComparison]:
        _, name, match = job
        result = _compare(ours, published, name, match, schema, leaderboard, failures.get(name), confidence, replaced)
        on_run(name)
        return result

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(work, jobs))
    scenarios: list[ScenarioComparison] = []
    for model in pairs:
        members = [run for job, found in zip(jobs, results, strict=True) if job[0] == model for run in found]
        scenarios += gather(model, members, confidence)
    return Verification(
        ours=ours,
        published=published,
        models=pairs,
        scenarios=tuple(scenarios),
        unmatched=tuple(unmatched),
        skipped=tuple(job[1] for job, found in zip(jobs, results, strict=True) if not found),
        confidence=confidence,
    )


def _models(names: Iterable[str], models: Sequence[str], aliases: Mapping[str, str]) -> dict[str, str]:
    present = models_of(names)
    for model in models:
        if model.replace("/", "_") not in present:
            raise ConfigurationError(f"--model {model}: the suite holds no run of it, allowed: {', '.join(present)}")
    chosen = [model.replace("/", "_") for model in models] or present
    spelled = {ours.replace("/", "_"): other.replace("/", "_") for ours, other in aliases.items()}
    return {model: spelled.get(model, model) for model in chosen}


def _compare(
    ours: Results,
    published: Results,
    name: str,
    match: Optional[str],
    schema: Mapping[str, Any],
    leaderboard: Optional[Leaderboard],
    failure: Optional[Failure],
    confidence: float,
    replaced: frozenset[Replaced],
) -> list[RunComparison]:
    theirs: Optional[Side] = None
    missing: Optional[str] = None
    if match is not None:
        try:
            theirs = Side(published.run(match))
            theirs.stats  # noqa: B018 - a run that is listed but not stored is not published
        except NotPublished as error:
            theirs, missing = None, str(error)
    if failure is not None or name not in ours.suites_by_run:
        cause = f"{failure.kind}: {failure.cause}" if failure else "the run has no result"
        evidence = Evidence(
            published_run=match, our_failure=cause, model_retired=failure is not None and failure.model_retired
        )
        if theirs is None:
            return [RunComparison(name, match, _unknown(name), judge(evidence))]
        return [
            RunComparison(name, match, headline, judge(evidence), published=total(theirs.stats, headline))
            for headline in headlines(schema, theirs.spec.get("groups", []))
        ]
    try:
        mine = Side(ours.run(name))
    except NotPublished as error:
        raise PublishedError(f"{error}; summarise the suite again") from error
    found = headlines(schema, mine.spec.get("groups", []))
    if theirs is None:
        judgement = judge(Evidence(published_run=None))
        if missing:
            judgement = Judgement(judgement.verdict, missing, judgement.cause)
        return [describe_alone(mine, headline, judgement, confidence) for headline in found]
    retired = retired_judge(leaderboard.judges, name, _when(ours)) if leaderboard else None
    stand_ins = replacements_of(name, replaced)
    return [compare_run(mine, theirs, headline, retired, confidence, stand_ins) for headline in found]


def _when(results: Results) -> datetime.date:
    given = re.match(r"\d{4}-\d{2}-\d{2}", str(results.summary.get("date", "")))
    return datetime.date.fromisoformat(given.group()) if given else datetime.date.today()


def _unknown(name: str) -> Headline:
    title = name.partition(":")[0]
    return Headline(title, title, "", "test")
