"""Where a model in the container computes, told beforehand as HELM decides it later."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from helm_repro.inside import failures
from helm_repro.inside.deployments.device import device
from helm_repro.inside.exit_codes import ExitCode


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Any:
    def have(*names: str) -> None:
        cuda = SimpleNamespace(
            is_available=lambda: bool(names), device_count=lambda: len(names), get_device_name=names.__getitem__
        )
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))

    return have


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "cuda:0 (H100)"),
        ({"device": "cuda:1"}, "cuda:1 (A100)"),
        ({"device": "cpu"}, "cpu"),
        ({"device_map": "auto"}, "all of H100, A100"),
    ],
)
def test_with_gpus(gpus: Any, arguments: dict[str, str], said: str) -> None:
    gpus("H100", "A100")
    assert device(arguments) == said


def test_without_a_gpu(gpus: Any) -> None:
    gpus()
    assert device({}) == "the CPU, because no GPU is visible in this container"
    assert device({"device": "cpu"}) == "cpu"
    for arguments in ({"device": "cuda:0"}, {"device_map": "auto"}):
        with pytest.raises(ValueError, match="no GPU is visible") as raised:
            device(arguments)
        failure = failures.classify(f"ValueError: {raised.value}")
        assert failure.exit_code == ExitCode.CONFIGURATION
        assert "--gpus all" in failure.next_step
