"""Too little memory: a clear line, the right exit code, and the suite can be continued."""

from __future__ import annotations

import pytest

from tests.by_image.test_smoke import ENVIRONMENT, SUITE

pytestmark = pytest.mark.docker


def test_a_memory_limit_says_so_and_the_suite_can_be_resumed(smoke_image, containers, tmp_path):
    options = {
        "environment": {**ENVIRONMENT, "MAX_EVAL_INSTANCES": "2", "PREFLIGHT": "off", "JOBS": "1"},
        "volumes": {str(tmp_path): {"bind": "/data", "mode": "rw"}},
        "user": "0:0",
    }
    code, output = containers.finish(smoke_image, "run", mem_limit="90m", memswap_limit="90m", **options)
    assert code == 3, output
    assert "memory" in [line for line in output.splitlines() if line.startswith("helm-repro: ")][-1]
    code, output = containers.finish(smoke_image, "run", **options)
    assert code == 0, output
    assert len(list((tmp_path / SUITE).glob("*/stats.json"))) == 10
