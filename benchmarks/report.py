"""The figures as a Markdown table and a bar chart (SVG, no library)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.measure import TOKENIZERS

_COLOURS = ("#8a8a8a", "#1f6f5c", "#58a890", "#b5651d")


def write_report(results: Mapping[str, Any], directory: Path) -> None:
    """Write ``benchmarks.md`` and ``throughput.svg``."""
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {results['machine']}. Medians of {results['repeats']} rounds in which the",
        "contenders take turns; compare within a table only. HELM "
        f"{results['helm']}, requests answered by a local server.",
    ]
    if "note" in results:
        lines += ["", results["note"]]
    if "throughput" in results:
        lines += _throughput(results["throughput"])
        (directory / "throughput.svg").write_text(_chart(results["throughput"]), encoding="utf-8")
    if "runners" in results:
        lines += ["", "## The same beside HELM's MultiGPURunner, in an environment that has PyTorch"]
        lines += ["", "CPU time of MultiGPURunner's workers, children of a fork server, is missing from its rows."]
        for workload in results["runners"].values():
            lines += _workload(workload)
    if "micro" in results:
        lines += ["", "## One answer through the request cache", "", *_micro(results["micro"])]
    if "resume" in results:
        lines += ["", "## Starting again on a complete suite (57 runs)", "", *_table(results["resume"])]
    if "overhead" in results:
        lines += ["", "## All the way to the tables (8 runs × 20, no latency)", "", *_table(results["overhead"])]
    if "summarize" in results:
        lines += ["", "## Tables of 500 runs by 10 models", "", *_table(results["summarize"])]
    if "growth" in results:
        lines += ["", "## More run specs (two instances each, no latency)"]
        for count, result in results["growth"].items():
            lines += ["", f"### {count} run specs", "", *_table(result)]
    (directory / "benchmarks.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _throughput(workloads: Mapping[str, Any]) -> list[str]:
    lines = ["", "## Running, 0.3 s per request, at most 32 requests in flight", "", "![Seconds](throughput.svg)", ""]
    lines += [
        "The tokenizer decides the ratio, so every workload is measured with two:",
        "",
        *(f"* {name}: {what}" for name, what in TOKENIZERS.items()),
        "",
        "Each contender's floor is the greater of latency alone and half of *its own* CPU time, so a contender that",
        "saves CPU time has the lower floor.",
    ]
    for workload in workloads.values():
        lines += _workload(workload)
    return lines


def _workload(workload: Mapping[str, Any]) -> list[str]:
    baseline = next(iter(workload["contenders"].values()))
    lines = [
        "",
        f"### {workload['title']}",
        "",
        f"{workload['requests']} requests; latency alone {workload['latency_floor']:.1f} s. "
        "The floor is the greater of that and CPU time over cores.",
        "",
        "| | seconds | × faster | CPU s | floor s | ÷ floor | first request after s | asked twice |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, result in workload["contenders"].items():
        lines.append(
            f"| {name} | {result['wall']:.1f} | {baseline['wall'] / result['wall']:.2f} | {result['cpu']:.1f} "
            f"| {result['floor']:.1f} | {result['wall'] / result['floor']:.2f} "
            f"| {result['first_request']:.1f} | {result['sent_twice']} |"
        )
    return lines


def _micro(cases: Mapping[str, Mapping[str, float]]) -> list[str]:
    lines = ["| | HELM, ms | ours, ms | × faster |", "|---|---|---|---|"]
    for case, seconds in cases.items():
        theirs, ours = seconds["HELM"], seconds["ours"]
        lines.append(f"| {case} | {theirs * 1e3:.2f} | {ours * 1e3:.2f} | {theirs / ours:.0f} |")
    return lines


def _table(result: Mapping[str, Any]) -> list[str]:
    lines = ["| | seconds | ÷ first row | CPU s | rounds |", "|---|---|---|---|---|"]
    first = next(iter(result["contenders"].values()))["wall"]
    for name, figures in result["contenders"].items():
        walls = ", ".join(f"{wall:.1f}" for wall in figures["walls"])
        ratio = figures["wall"] / first
        lines.append(f"| {name} | {figures['wall']:.2f} | {ratio:.2f} | {figures['cpu']:.2f} | {walls} |")
    return lines


def _chart(workloads: Mapping[str, Any]) -> str:
    longest = max(result["wall"] for w in workloads.values() for result in w["contenders"].values())
    scale = 420 / longest
    parts, y = [], 10
    for workload in workloads.values():
        parts.append(f'<text x="10" y="{y + 14}" font-weight="bold">{escape(workload["title"])}</text>')
        y += 24
        for colour, (name, result) in zip(_COLOURS, workload["contenders"].items(), strict=False):
            width = result["wall"] * scale
            floor = 260 + result["floor"] * scale
            parts.append(f'<text x="250" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
            parts.append(f'<rect x="260" y="{y}" width="{width:.0f}" height="18" fill="{colour}"/>')
            parts.append(f'<path d="M{floor:.0f} {y - 2}v22" stroke="#c00" stroke-width="2"/>')
            parts.append(f'<text x="{265 + width:.0f}" y="{y + 14}">{result["wall"]:.1f} s</text>')
            y += 24
        y += 12
    parts.append(f'<text x="260" y="{y + 10}" fill="#c00">red: the floor (latency, or CPU time over cores)</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="780" height="{y + 24}" '
        'font-family="sans-serif" font-size="13" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )
