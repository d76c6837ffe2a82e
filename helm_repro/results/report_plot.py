"""The dot-and-interval plot of a report, as inline SVG that follows the page's colours.

Matplotlib draws with marker colours that are then replaced by CSS variables, so one
drawing serves light and dark pages; text stays text. Two widths are drawn, because a
plot scaled to a telephone has letters of two millimetres' height at best.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from typing import Any, Optional

import matplotlib
from matplotlib.figure import Figure

from helm_repro.results.bootstrap import Interval
from helm_repro.results.report_data import ReportData
from helm_repro.results.scenarios import ScenarioComparison

# Stand-ins that no one would choose -> variables of report.css.
_COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--rule)",
    "#040404": "var(--ours)",
    "#050505": "var(--published)",
    "#060606": "var(--page)",
}
_INK, _MUTED, _RULE, _OURS, _PUBLISHED, _PAGE = _COLOURS
_ROW_INCHES = 0.30
_HEAD_INCHES = 0.34
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "helm-repro",
    "font.size": 9.5,
    # Titles come from schemas and may hold a dollar sign.
    "text.parse_math": False,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _MUTED,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _INK,
}


def plottable(data: ReportData) -> list[ScenarioComparison]:
    """Scenarios whose scores lie between 0 and 1, which share an axis; others are in the table only."""
    scored = [s for s in data.scenarios if s.ours is not None or s.published is not None]
    return [s for s in scored if _unit(s.ours) and _unit(s.published)]


def plots(data: ReportData) -> list[str]:
    """The plot for wide and for narrow pages; empty if there is nothing to draw."""
    scenarios = plottable(data)
    if not scenarios:
        return []
    return [_svg(data, scenarios, 9.2, True), _svg(data, scenarios, 4.3, False)]


def _svg(data: ReportData, scenarios: Sequence[ScenarioComparison], width: float, wide: bool) -> str:
    models = list(dict.fromkeys(scenario.model for scenario in scenarios))
    rows: list[tuple[float, Optional[ScenarioComparison], str]] = []
    depth = 0.0
    for model in models:
        if data.several_models:
            rows.append((depth, None, model))
            depth += 1.0
        for member in (item for item in scenarios if item.model == model):
            rows.append((depth, member, member.headline.title))
            depth += 1.0
        depth += 0.35
    with matplotlib.rc_context(_STYLE):
        height = _HEAD_INCHES + depth * _ROW_INCHES + 0.55
        figure = Figure(figsize=(width, height))
        axes = _axes(figure, width, height, depth, wide)
        for y, scenario, label in rows:
            if scenario is None:
                axes[0].text(-0.02, y, label, transform=_row(axes[0]), ha="right", va="center", fontweight="bold")
                continue
            axes[0].text(-0.02, y, _short(label, 30 if wide else 17), transform=_row(axes[0]), ha="right", va="center")
            for panel in axes:
                panel.axhline(y, color=_RULE, linewidth=0.6, zorder=0)
            _score(axes[0], y, scenario)
            if wide:
                _difference(axes[1], y, scenario)
        _legend(figure, data, width, height, wide)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _embed(buffer.getvalue(), data, scenarios, "wide" if wide else "narrow")


def _axes(figure: Figure, width: float, height: float, depth: float, wide: bool) -> list[Any]:
    left = (2.25 if wide else 1.35) / width
    bottom, top = 0.5 / height, 1 - _HEAD_INCHES / height
    boxes = [(left, 0.47 if wide else 0.97 - left)]
    if wide:
        boxes.append((left + 0.51, 0.98 - left - 0.51))
    panels = []
    for x, span in boxes:
        panel = figure.add_axes((x, bottom, span, top - bottom))
        panel.set_ylim(depth - 0.35, -0.75)
        panel.set_yticks([])
        for side in ("left", "right", "top"):
            panel.spines[side].set_visible(False)
        panels.append(panel)
    panels[0].set_xlim(-0.02, 1.02)
    panels[0].set_xlabel("score")
    if wide:
        panels[1].set_xlabel("difference")
        panels[1].axvline(0, color=_MUTED, linewidth=0.9, zorder=1)
        panels[1].margins(x=0.08)
    return panels


def _row(panel: Any) -> Any:
    return panel.get_yaxis_transform()


def _score(panel: Any, y: float, scenario: ScenarioComparison) -> None:
    if scenario.ours_interval and scenario.ours is not None:
        panel.hlines(y, scenario.ours_interval.low, scenario.ours_interval.high, color=_OURS, linewidth=2.2, zorder=2)
    if scenario.ours is not None:
        panel.plot([scenario.ours], [y], "o", color=_OURS, markersize=6.5, zorder=3)
    if scenario.published is not None:
        panel.plot(
            [scenario.published], [y], "D", markerfacecolor="none", markeredgecolor=_PUBLISHED,
            markeredgewidth=1.5, markersize=9, zorder=4,
        )  # fmt: skip


def _difference(panel: Any, y: float, scenario: ScenarioComparison) -> None:
    if scenario.difference is None:
        behind = {"facecolor": _PAGE, "edgecolor": "none", "pad": 1.5}
        panel.text(
            0.02,
            y,
            scenario.judgement.label,
            transform=_row(panel),
            va="center",
            color=_MUTED,
            fontsize=8.5,
            bbox=behind,
        )
        return
    interval: Optional[Interval] = scenario.interval
    if interval is not None:
        panel.hlines(y, interval.low, interval.high, color=_OURS, linewidth=2.2, zorder=2)
    panel.plot([scenario.difference], [y], "o", color=_OURS, markersize=6.5, zorder=3)


def _legend(figure: Figure, data: ReportData, width: float, height: float, wide: bool) -> None:
    x, y = (2.25 if wide else 0.15) / width, 1 - 0.17 / height
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set_axis_off()
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1)
    panel.set_zorder(-1)
    step = 0.13 / width
    panel.plot([x - step, x + step], [y, y], color=_OURS, linewidth=2.2)
    panel.plot([x], [y], "o", color=_OURS, markersize=6.5)
    level = f"{data.verification.confidence:.0%} interval"
    panel.text(x + 0.22 / width, y, f"{data.ours}, {level}", va="center")
    second = x + 1.95 / width
    panel.plot(
        [second], [y], "D", markerfacecolor="none", markeredgecolor=_PUBLISHED, markeredgewidth=1.5, markersize=9
    )
    panel.text(second + 0.18 / width, y, data.published, va="center")


def _embed(svg: str, data: ReportData, scenarios: Sequence[ScenarioComparison], name: str) -> str:
    body = svg[svg.index("<svg") :]
    for marker, variable in _COLOURS.items():
        body = body.replace(marker, variable)
    # Two drawings on one page: their identifiers must differ.
    body = re.sub(r'\b(id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", body)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    title = f"Scores: {data.ours} and {data.published}"
    described = "; ".join(
        f"{s.model + ' ' if data.several_models else ''}{s.headline.title}: {_say(s.ours)} against {_say(s.published)}"
        for s in scenarios
    )
    head = re.match(r"<svg[^>]*>", body)
    assert head is not None
    box = re.search(r'viewBox="[^"]*"', head.group())
    opening = (
        f'<svg class="plot {name}" role="img" aria-labelledby="{name}-title {name}-desc" '
        f'{box.group() if box else ""} xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(described)}</desc>'
    )
    return opening + body[head.end() :]


def _unit(value: Optional[float]) -> bool:
    return value is None or 0 <= value <= 1


def _say(value: Optional[float]) -> str:
    return "none" if value is None else f"{value:.3f}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
