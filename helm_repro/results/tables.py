"""A verification as rows: for the terminal, JSON, CSV and Markdown. Numbers as they are compared."""

from __future__ import annotations

import csv
import io
from typing import Any, Optional

from helm_repro.results.bootstrap import Interval
from helm_repro.results.run_comparison import RunComparison
from helm_repro.results.scenarios import ScenarioComparison
from helm_repro.results.verification import Verification

CSV_COLUMNS = (
    "model",
    "scenario",
    "run",
    "metric",
    "split",
    "ours",
    "published",
    "difference",
    "low",
    "high",
    "agreement",
    "same_text",
    "instances",
    "verdict",
    "cause",
    "reason",
)


def number(value: Optional[float], signed: bool = False) -> str:
    """Three decimals as in HELM's tables; large values with fewer digits; ``–`` for none."""
    if value is None:
        return "–"
    digits = 3 if abs(value) < 100 else 1
    return f"{value:+.{digits}f}".replace("-", "−") if signed else f"{value:.{digits}f}".replace("-", "−")


def percent(share: Optional[float]) -> str:
    """A share as a percentage that says 100 % only of all."""
    if share is None:
        return "–"
    text = f"{share:.1%}"
    return "99.9%" if text == "100.0%" and share < 1 else text.replace("100.0%", "100%")


def span(interval: Optional[Interval]) -> str:
    """An interval of differences."""
    return "–" if interval is None else f"{number(interval.low, True)} to {number(interval.high, True)}"


def as_json(result: Verification) -> dict[str, Any]:
    """Everything but resampled means."""
    return {
        "suite": result.ours.name,
        "release": result.published.name,
        "published": result.published.where,
        "confidence": result.confidence,
        "verdicts": {str(verdict): count for verdict, count in result.counts().items()},
        "scenarios": [
            {**_scenario(scenario), "runs": [_run(scenario, run) for run in scenario.runs]}
            for scenario in result.scenarios
        ],
        "unmatched": list(result.unmatched),
        "not_shown_by_schema": list(result.skipped),
    }


def as_csv(result: Verification) -> str:
    """One line per scenario, then one per run of scenarios with several runs; empty cells for what is not known."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for scenario in result.scenarios:
        only = scenario.runs[0].run if len(scenario.runs) == 1 else None
        writer.writerow({**_scenario(scenario), "run": only})
        if only is None:
            writer.writerows(_run(scenario, run) for run in scenario.runs)
    return buffer.getvalue()


def _scenario(scenario: ScenarioComparison) -> dict[str, Any]:
    return {
        "model": scenario.model,
        "scenario": scenario.headline.title,
        "metric": scenario.headline.metric,
        "split": scenario.headline.split,
        "ours": scenario.ours,
        "published": scenario.published,
        "difference": scenario.difference,
        "low": scenario.interval and scenario.interval.low,
        "high": scenario.interval and scenario.interval.high,
        "agreement": scenario.agreement,
        "same_text": scenario.same_text,
        "instances": scenario.scored or None,
        "verdict": str(scenario.judgement.verdict),
        "cause": scenario.judgement.cause and str(scenario.judgement.cause),
        "reason": scenario.judgement.reason,
    }


def _run(scenario: ScenarioComparison, run: RunComparison) -> dict[str, Any]:
    ours = run.ours.mean if run.ours else None
    published = run.published.mean if run.published else None
    return {
        "model": scenario.model,
        "scenario": scenario.headline.title,
        "run": run.run,
        "published_run": run.published_run,
        "metric": run.headline.metric,
        "split": run.headline.split,
        "ours": ours,
        "published": published,
        "difference": None if ours is None or published is None else ours - published,
        "low": run.interval and run.interval.low,
        "high": run.interval and run.interval.high,
        "interval_estimated": run.estimated,
        "agreement": run.agreement,
        "same_text": run.same_text,
        "instances": run.scored or None,
        "verdict": str(run.judgement.verdict),
        "cause": run.judgement.cause and str(run.judgement.cause),
        "reason": run.judgement.reason,
        "recipe": [
            {"kind": item.kind, "field": item.field, "ours": item.ours, "published": item.published}
            for item in run.recipe
        ],
        "instance_check": run.instances and run.instances.describe(),
    }
