"""Every text colour of the report's style sheet is readable on both of its backgrounds, light and dark."""

from __future__ import annotations

import importlib.resources
import re

import pytest

CSS = importlib.resources.files("helm_repro.results").joinpath("templates/report.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)
)
TEXTS = ("ink", "muted", "link", "reproduced", "within-noise", "drifted", "recipe-differs", "not-comparable")


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", TEXTS)
def test_contrast(theme: dict[str, str], text: str) -> None:
    # WCAG 2.2, 1.4.3: at least 4.5 to 1 for text.
    assert contrast(theme[text], theme["page"]) >= 4.5
    if text in ("ink", "muted"):
        assert contrast(theme[text], theme["wash"]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_plot_marks(theme: dict[str, str]) -> None:
    # 1.4.11: at least 3 to 1 for graphics.
    assert min(contrast(theme[mark], theme["page"]) for mark in ("ours", "published")) >= 3
