"""The reader against what HELM itself wrote: every path, every field, every cell of its tables."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from helm_repro.results.layout import DISPLAY_FILES, RUN_FILES, TABLE_FILES, Results, open_results
from helm_repro.results.matching import runs_of
from helm_repro.results.ranking import rank
from helm_repro.results.statistics import Total, headlines, total
from helm_repro.results.store import FolderStore, NotPublished
from helm_repro.results.verification import verify
from tests.results.made_with_helm import MODELS, RELEASE

pytestmark = pytest.mark.helm

# Fields of the classes that HELM 0.5.16's helm-run and helm-summarize write, and whether we read them.
READ = {
    "ExecutiveSummary": "release suite suites date",
    "RunSpec": "name scenario_spec adapter_spec metric_specs data_augmenter_spec groups annotators",
    "Stat": "name count sum mean",
    "MetricName": "name split sub_split perturbation",
    "PerInstanceStats": "instance_id perturbation train_trial_index stats",
    "Instance": "input references split id perturbation",
    "Input": "text multimedia_content messages",
    "Reference": "output tags",
    "Output": "text multimedia_content",
    "DisplayPrediction": "instance_id perturbation train_trial_index predicted_text stats annotations",
    "Table": "title header rows name",
    "HeaderCell": "value lower_is_better",
    "Cell": "value run_spec_names",
    "Schema": "metrics run_groups",
    "Field": "name display_name lower_is_better",
    "RunGroup": "name display_name lower_is_better subgroups environment",
}
NOT_READ = {
    "ExecutiveSummary": "",
    "RunSpec": "",
    "Stat": "sum_squared min max variance stddev",
    "MetricName": "",
    "PerInstanceStats": "",
    "Instance": "sub_split contrast_inputs contrast_references extra_data",
    "Input": "",
    "Reference": "",
    "Output": "",
    "DisplayPrediction": "truncated_predicted_text base64_images mapped_output reference_index thinking_text",
    "Table": "description links",
    "HeaderCell": "display_value description href style markdown run_spec_names metadata",
    "Cell": "display_value description href style markdown",
    "Schema": "perturbations metric_groups adapter",
    "Field": "short_display_name description",
    "RunGroup": "short_display_name description metric_groups sub_splits subgroup_display_mode "
    "subgroup_metric_groups_hidden category visibility taxonomy todo adapter_keys_shown short_description",
}
_ASK = """
import dataclasses, json
from helm.benchmark.presentation.summarize import ExecutiveSummary
from helm.benchmark.presentation.run_display import DisplayPrediction
from helm.benchmark.presentation.schema import Schema, Field, RunGroup
from helm.benchmark.presentation.table import Table, HeaderCell, Cell
from helm.benchmark.metrics.metric import PerInstanceStats
from helm.benchmark.metrics.metric_name import MetricName
from helm.benchmark.metrics.statistic import Stat
from helm.benchmark.run_spec import RunSpec
from helm.benchmark.adaptation.adapter_spec import AdapterSpec
from helm.benchmark.scenarios.scenario import Instance, Input, Reference, Output
kinds = [ExecutiveSummary, RunSpec, Stat, MetricName, PerInstanceStats, Instance, Input, Reference, Output,
         DisplayPrediction, Table, HeaderCell, Cell, Schema, Field, RunGroup]
fields = {kind.__name__: [field.name for field in dataclasses.fields(kind)] for kind in kinds}
defaults = {field.name: field.default for field in dataclasses.fields(AdapterSpec)
            if field.default is not dataclasses.MISSING}
print(json.dumps([fields, defaults]))
"""


@pytest.fixture
def release(made: Path) -> Results:
    return open_results(FolderStore(made / "published" / "benchmark_output"), RELEASE)


def test_every_field_is_read_or_left_on_purpose(helm_python: Path) -> None:
    from helm_repro.results.recipe import GROWN_ADAPTER_FIELDS

    answer = subprocess.run([str(helm_python), "-c", _ASK], capture_output=True, text=True, check=True)
    fields, defaults = json.loads(answer.stdout.splitlines()[-1])
    for kind, names in fields.items():
        assert set(names) == {*READ[kind].split(), *NOT_READ[kind].split()}, kind
    for name, (default, _) in GROWN_ADAPTER_FIELDS.items():
        assert defaults[name] == default


def test_every_path_is_known_and_read(made: Path, release: Results) -> None:
    root = made / "published" / "benchmark_output"
    names = {path.name for path in (root / "releases" / RELEASE).iterdir()}
    assert names == {*TABLE_FILES, "groups"}
    for file in TABLE_FILES:
        assert release.table_file(file) == json.loads((root / "releases" / RELEASE / file).read_bytes())
    groups = [path for path in (root / "releases" / RELEASE / "groups").iterdir() if path.is_file()]
    assert groups
    for path in groups:
        assert release.tables(path.stem) == json.loads(path.read_bytes())
        # What lies in groups/json is each of these tables by itself, and in groups/latex the same for papers.
        for table in release.tables(path.stem):
            single = root / "releases" / RELEASE / "groups" / "json" / f"{path.stem}_{table['name']}.json"
            assert json.loads(single.read_bytes())["rows"] == table["rows"]
    runs = {path.name for path in (root / "runs" / RELEASE).iterdir()} - {"eval_cache"}
    assert runs == set(release.suites_by_run)
    for name in runs:
        assert {path.name for path in (root / "runs" / RELEASE / name).iterdir()} == {*RUN_FILES, *DISPLAY_FILES}
        for file in (*RUN_FILES, *DISPLAY_FILES):
            assert release.run(name).json(file) == json.loads((root / "runs" / RELEASE / name / file).read_bytes())


def test_headline_statistics_are_the_cells_of_helms_tables(release: Results) -> None:
    """The mean over a scenario's runs is the number that HELM put into its leaderboard."""
    (table,) = (table for table in release.tables("smoke_scenarios") if table["name"] == "accuracy")
    titles = [cell["value"] for cell in table["header"]]
    checked = 0
    for cells in table["rows"]:
        for title, cell in zip(titles, cells, strict=True):
            if not cell.get("run_spec_names"):
                continue
            merged = Total(0, 0.0)
            for name in cell["run_spec_names"]:
                run = release.run(name)
                (headline,) = headlines(release.schema or {}, run.spec()["groups"])
                assert title.startswith(headline.title)
                merged += total(run.stats(), headline) or Total(0, 0.0)
            assert merged.mean == pytest.approx(cell["value"], abs=1e-12)
            checked += 1
    assert checked == 2 * 4


def test_win_rates_are_helms(made: Path, release: Results) -> None:
    ours = open_results(FolderStore(made / "ours" / "benchmark_output"), "same")
    for model in MODELS:
        spelled = model.replace("/", "_")
        ranking = rank(ours, release, spelled, spelled)
        assert ranking is not None
        assert ranking.own.name == model
        for place in ranking.places:
            assert place.value == pytest.approx(place.published, abs=1e-12)


def test_a_model_that_is_not_published_is_added(made: Path, published: Path) -> None:
    ours = open_results(FolderStore(made / "ours" / "benchmark_output"), "same")
    release = open_results(FolderStore(published), RELEASE)
    ranking = rank(ours, release, "sim_strong", "nobody")
    assert ranking is not None
    assert len(ranking.places) == 5
    assert ranking.own.rank == 1
    assert ranking.own.published is None


def old_layout(published: Path) -> Results:
    """As Classic was published before HELM 0.2.4: a suite that holds its own tables, with fewer files."""
    suite = published / "runs" / RELEASE
    for path in (published / "releases" / RELEASE).iterdir():
        shutil.move(path, suite / path.name)
    shutil.rmtree(published / "releases")
    for name in ("runs_to_run_suites.json", "schema.json"):
        (suite / name).unlink()
    for path in suite.glob("*/*.json"):
        if path.name in DISPLAY_FILES and path.parent.name != "groups":
            path.unlink()
    return open_results(FolderStore(published), RELEASE)


def test_old_layout_gives_the_same_verdicts(made: Path, published: Path) -> None:
    ours = open_results(FolderStore(made / "ours" / "benchmark_output"), "flipped")
    new = verify(ours, open_results(FolderStore(published), RELEASE))
    old = verify(ours, old_layout(published))
    assert [(s.model, s.judgement, s.interval) for s in old.scenarios] == [
        (s.model, s.judgement, s.interval) for s in new.scenarios
    ]
    assert len(runs_of(old.published.suites_by_run, "sim/poor")) == 3


def test_no_such_release(published: Path) -> None:
    with pytest.raises(NotPublished, match=r"releases/v9 nor runs/v9"):
        open_results(FolderStore(published), "v9")
