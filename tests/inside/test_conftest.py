"""Tests that need PyTorch may be skipped on a machine that cannot install it, never in CI."""

from __future__ import annotations

import pytest

from tests.inside.conftest import skip_or_fail


@pytest.mark.parametrize("variable", ["CI", "HELM_REPRO_REQUIRE_DOCKER"])
def test_ci_may_not_skip(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("CI", "HELM_REPRO_REQUIRE_DOCKER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no PyTorch"):
        skip_or_fail("no PyTorch")
    monkeypatch.setenv(variable, "1")
    with pytest.raises(pytest.fail.Exception, match="no PyTorch"):
        skip_or_fail("no PyTorch")
