"""A report as one HTML page without external requests, as Markdown for a CI job summary, and as CSV."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2

import helm_repro
from helm_repro.results.ranking import Place, Ranking
from helm_repro.results.report_data import MEANINGS, ReportData
from helm_repro.results.report_plot import plots, plottable
from helm_repro.results.suite_record import Anomaly
from helm_repro.results.tables import as_csv, number, percent, span
from helm_repro.results.verdicts import Verdict

HTML, MARKDOWN, CSV = "index.html", "report.md", "report.csv"

# Shapes as well as words, as on the page.
_MARKS = {
    Verdict.REPRODUCED: "●",
    Verdict.WITHIN_NOISE: "◐",
    Verdict.DRIFTED: "▲",
    Verdict.RECIPE_DIFFERS: "◆",
    Verdict.NOT_COMPARABLE: "○",
}
# A ranking of ninety models is shown around our place.
_ALL_PLACES = 12
_NEIGHBOURS = 4


def write_report(data: ReportData, directory: Path) -> list[Path]:
    """Write all three files and return their paths.

    Raises:
        OSError: the directory cannot be written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    contents = {HTML: as_html(data), MARKDOWN: as_markdown(data), CSV: as_csv(data.verification)}
    paths = []
    for name, text in contents.items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def as_html(data: ReportData) -> str:
    """The whole page."""
    return _environment(True).get_template("report.html.j2").render(plots=plots(data), **_context(data))


def as_markdown(data: ReportData) -> str:
    """The same without plot and recipes."""
    text = _environment(False).get_template("report.md.j2").render(**_context(data))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _context(data: ReportData) -> dict[str, Any]:
    receipt = data.record.receipt
    return {
        "data": data,
        "models": list(dict.fromkeys(scenario.model for scenario in data.scenarios)),
        "level": f"{data.verification.confidence:.0%}",
        "chance": f"{1 - data.verification.confidence:.0%}",
        "unplotted": len(data.scenarios) - len(plottable(data)),
        "told": [s for s in data.scenarios if s.judgement.verdict.severity > Verdict.WITHIN_NOISE.severity],
        "meanings": MEANINGS,
        "marks": _MARKS,
        "anomalies": _anomalies(data),
        "receipt": _facts(receipt) if receipt else {},
        "raw_receipt": json.dumps(receipt, indent=1, ensure_ascii=False) if receipt else "",
        "version": helm_repro.__version__,
        "number": number,
        "percent": percent,
        "span": span,
    }


def _environment(html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("helm_repro.results"),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"near": near, "value": _value, "md": _markdown}
    return environment


def near(ranking: Ranking) -> list[Place]:
    """The places to show: all of a short ranking, else the first three and those around ours."""
    places = list(ranking.places)
    if len(places) <= _ALL_PLACES:
        return places
    own = next(index for index, place in enumerate(places) if place.ours)
    return [
        place for index, place in enumerate(places) if index < 3 or abs(index - own) <= _NEIGHBOURS or place.rank == 1
    ]


# Kinds of helm_repro.inside.suite.state.RunState.anomalies, as the end of "12 of 90 answers …".
_ANOMALIES = {
    "empty": "are empty",
    "truncated": "were cut at the token limit",
    "unjudged": "were not judged",
}


def _anomalies(data: ReportData) -> list[tuple[str, list[Anomaly]]]:
    """A sentence for each kind, and the runs it concerns."""
    kinds: dict[str, list[Anomaly]] = {}
    for item in data.record.anomalies:
        kinds.setdefault(item.kind, []).append(item)
    found = []
    for kind, items in kinds.items():
        count, requests = sum(item.count for item in items), sum(item.requests for item in items)
        of = f" of {requests}" if requests else ""
        runs = "1 run" if len(items) == 1 else f"{len(items)} runs"
        found.append((f"{count}{of} answers in {runs} {_ANOMALIES.get(kind, kind.replace('_', ' '))}", items))
    return found


def _facts(receipt: dict[str, Any]) -> dict[str, str]:
    shown = {
        "Leaderboard": receipt.get("leaderboard"),
        "HELM": " ".join(str(receipt[key])[:12] for key in ("helm_version", "helm_commit") if receipt.get(key)),
        "Image": receipt.get("image"),
        "Written": receipt.get("written"),
        "Exit code": receipt.get("exit_code"),
        "Runs": len(receipt.get("runs") or []) or None,
        "Requests": sum(int(run.get("requests") or 0) for run in receipt.get("runs") or []) or None,
        "Instances at most": (receipt.get("variables") or {}).get("MAX_EVAL_INSTANCES"),
        "Train trials": (receipt.get("variables") or {}).get("NUM_TRAIN_TRIALS"),
        "Plan": str(receipt.get("plan_sha256") or "")[:12],
        "Lock": str((receipt.get("digests") or {}).get("lock") or "")[:12],
        "Python": receipt.get("python"),
    }
    return {name: str(value) for name, value in shown.items() if value not in (None, "")}


def _value(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)


def _markdown(text: object) -> str:
    """Text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(str(text).split()))
