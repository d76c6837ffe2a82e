"""Makes docs/report/: the report of a suite of three simulated models, photographed in Chromium.

By hand: ``HELM_REPRO_TEST_PYTHON=… python -m tests.results.make_screenshots``. Takes about five minutes.
The published side is altered afterwards, so that every verdict can be seen.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from helm_repro.catalogue import load_catalogue
from helm_repro.results.layout import open_results
from helm_repro.results.report import write_report
from helm_repro.results.report_data import report_data
from helm_repro.results.store import FolderStore
from helm_repro.results.suite_record import read_suite_record
from helm_repro.results.verification import verify
from tests.results.chromium import open_page
from tests.results.made_with_helm import RELEASE, make
from tests.results.mutate import drop_run, edit

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "report"


def main() -> None:
    kept = os.environ.get("HELM_REPRO_SCREENSHOT_SUITE")
    directory = Path(kept) if kept else Path(tempfile.mkdtemp())
    catalogue = load_catalogue(ROOT)
    smoke = catalogue.leaderboards["smoke"]
    if not (directory / "helm.log").exists():
        directory.mkdir(exist_ok=True, parents=True)
        entries = [entry.description for entry in catalogue.entries(smoke)]
        schema = ROOT / "leaderboards" / "smoke" / smoke.schema_
        make(
            Path(os.environ["HELM_REPRO_TEST_PYTHON"]),
            schema,
            directory,
            entries,
            90,
            ("sim/good", "sim/fair", "sim/poor"),
        )
    altered = Path(tempfile.mkdtemp()) / "benchmark_output"
    shutil.copytree(directory / "published" / "benchmark_output", altered)
    run = altered / "runs" / RELEASE
    edit(run / "simple_mcqa:model=sim_middling" / "run_spec.json", _other_instructions)
    edit(
        run / "dyck_language_np=4:model=sim_weak" / "run_spec.json",
        lambda spec: spec["adapter_spec"].update(max_eval_instances=1000),
    )
    edit(
        run / "dyck_language_np=4:model=sim_weak" / "instances.json",
        lambda instances: instances[0].update(input={"text": "( ["}),
    )
    drop_run(altered, "synthetic_reasoning:mode=induction,model=sim_strong")
    suite = directory / "ours" / "benchmark_output"
    ours = open_results(FolderStore(suite), "flipped")
    outcome = verify(ours, open_results(FolderStore(altered), RELEASE), leaderboard=smoke)
    record = read_suite_record(suite / "runs" / "flipped")
    page = write_report(report_data(outcome, record, smoke), Path(tempfile.mkdtemp()))[0]
    # Addresses of this machine are of no interest in a picture.
    page.write_text(re.sub(r"Compared with \S+/benchmark_output", "Compared with benchmark_output", page.read_text()))
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, width, dark in (("wide", 1200, False), ("dark", 1200, True), ("phone", 390, False)):
        with open_page(page, width=width, dark=dark) as browser:
            browser.photograph(TARGET / f"report-{name}.png")
        _fewer_colours(TARGET / f"report-{name}.png")
    shutil.copy(page.with_name("report.md"), TARGET / "report.md")


def _fewer_colours(path: Path) -> None:
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def _other_instructions(spec: dict[str, object]) -> None:
    adapter = spec["adapter_spec"]
    assert isinstance(adapter, dict)
    adapter["instructions"] = "Answer with only a single letter.\n\n" + adapter["instructions"]
    assert json.dumps(spec)


if __name__ == "__main__":
    main()
