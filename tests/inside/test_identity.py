"""A suite's record, when several invocations begin at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from helm_repro.inside.inputs.settings import read_settings
from helm_repro.inside.suite import identity

MODELS = [f"maker/model-{number}" for number in range(32)]


def test_no_model_is_lost_when_shards_with_other_models_begin_together(tmp_path: Path, board) -> None:
    def claim(model: str) -> None:
        identity.claim(read_settings({"DATA_DIR": str(tmp_path), "MODELS_TO_RUN": model}, board, ["run"]))

    suite = tmp_path / "benchmark_output/runs/my-suite"
    suite.mkdir(parents=True)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(claim, MODELS))
    record = identity.read(suite / identity.FILE_NAME)
    assert record is not None
    assert record["models"] == sorted(MODELS)
