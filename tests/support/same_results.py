"""Asserts that two suites hold the same results apart from timing."""

from __future__ import annotations

from pathlib import Path

from helm_repro.results.same_results import differences, without_timing

__all__ = ["assert_same_results", "differences", "without_timing"]


def assert_same_results(expected: Path, found: Path) -> None:
    """Fail with the first differences if two suite folders hold different results."""
    found_differences = differences(expected, found)
    assert not found_differences, "\n".join(found_differences[:20])
