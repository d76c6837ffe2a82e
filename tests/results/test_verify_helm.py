"""``helm-repro verify`` against a web server holding a release that HELM made: every verdict and exit code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helm_repro.inside.suite.journal import Journal
from tests.results.conftest import Verb
from tests.results.file_server import FileServer
from tests.results.made_with_helm import MODELS, RELEASE
from tests.results.mutate import cut, drop_run, edit

pytestmark = pytest.mark.helm

Verdicts = Callable[..., tuple[int, dict[tuple[str, str], str]]]
MCQA = "simple_mcqa:model=sim_strong"
CHANGED = ("sim/strong", "Multiple choice")
SCENARIOS = {(model, title) for model in MODELS for title in ("Classification", "Multiple choice")}


def test_exact_reproduction(verdicts: Verdicts, server: FileServer) -> None:
    code, found = verdicts("--fail-on", "within-noise,drifted,recipe-differs,not-comparable")
    assert code == 0
    assert found == dict.fromkeys(SCENARIOS, "reproduced")
    paths = [path for path, _, _ in server.requests]
    assert not any(path.endswith(("scenario_state.json", "per_instance_stats.json")) for path in paths), "large files"
    verdicts()
    assert len(server.requests) == len(paths), "the second time everything comes from the cache"


def instructions(spec: dict[str, Any]) -> None:
    spec["adapter_spec"]["instructions"] = "Answer with only a single letter.\n"


def other_instances(instances: list[dict[str, Any]]) -> None:
    instances[3]["input"]["text"] = "Is 7 even or odd?"


def judged(predictions: list[dict[str, Any]]) -> None:
    for prediction in predictions:
        prediction["annotations"] = {"jury": {"gpt_score": 1, "llama_score": 2}}


@pytest.mark.parametrize(
    ("file", "change", "expected", "code"),
    [
        ("run_spec.json", instructions, "recipe differs", 7),
        ("run_spec.json", lambda spec: spec["adapter_spec"].update(max_tokens=20), "recipe differs", 7),
        ("instances.json", other_instances, "not comparable: data changed", 0),
        ("run_spec.json", lambda spec: spec["adapter_spec"].update(num_train_trials=3),
         "not comparable: limits differ", 0),
        ("run_spec.json", lambda spec: spec.update(annotators=[{"class_name": "x.Judge"}]),
         "not comparable: judge missing", 0),
        ("display_predictions.json", judged, "not comparable: judge missing", 0),
    ],
)  # fmt: skip
def test_one_changed_file(
    verdicts: Verdicts, runs: Path, file: str, change: Callable[[Any], object], expected: str, code: int
) -> None:
    edit(runs / MCQA / file, change)
    assert verdicts() == (code, {**dict.fromkeys(SCENARIOS, "reproduced"), CHANGED: expected})


def test_other_limit_that_took_the_same_instances(verdicts: Verdicts, runs: Path) -> None:
    edit(runs / MCQA / "run_spec.json", lambda spec: spec["adapter_spec"].update(max_eval_instances=1000))
    assert verdicts()[1][CHANGED] == "reproduced"


def test_other_limit(verdicts: Verdicts, runs: Path) -> None:
    edit(runs / MCQA / "run_spec.json", lambda spec: spec["adapter_spec"].update(max_eval_instances=1000))
    edit(runs / MCQA / "instances.json", lambda instances: instances.append({**instances[0], "id": "id999"}))
    code, found = verdicts("--fail-on", "not-comparable")
    assert code == 7
    assert found[CHANGED] == "not comparable: limits differ"


def test_flipped_answers(verdicts: Verdicts) -> None:
    code, found = verdicts("--fail-on", "recipe-differs,not-comparable", suite="flipped")
    assert code == 0
    assert set(found.values()) <= {"within noise", "drifted"}
    assert list(found.values()).count("within noise") >= 5, "about 2 of 60 answers prove nothing"
    assert verdicts("--fail-on", "within-noise", suite="flipped")[0] == 7
    assert verdicts("--fail-on", "none", suite="flipped")[0] == 0


def test_download_cut_short_twice_is_recovered(verdicts: Verdicts, server: FileServer) -> None:
    server.cut[f"{MCQA}/stats.json"] = 2
    assert verdicts() == (0, dict.fromkeys(SCENARIOS, "reproduced"))


@pytest.mark.parametrize("file", ["stats.json", "instances.json", "display_predictions.json", "run_spec.json"])
def test_download_cut_short_always_gives_no_verdict(verdicts: Verdicts, server: FileServer, file: str) -> None:
    server.cut[f"{MCQA}/{file}"] = 99
    code, found = verdicts()
    assert code == 6
    assert list(found) == [("error", "")]


def test_mirror_with_a_cut_file_gives_no_verdict(verdicts: Verdicts, runs: Path) -> None:
    cut(runs / MCQA / "stats.json")
    code, found = verdicts()
    assert code == 6
    assert "not a whole JSON document" in found[("error", "")]


def test_run_that_was_never_published(verdicts: Verdicts, published: Path) -> None:
    drop_run(published, MCQA)
    assert verdicts()[1][CHANGED] == "not comparable: not published"


def test_run_that_is_listed_but_absent(verdicts: Verdicts, server: FileServer) -> None:
    server.status[f"{MCQA}/stats.json"] = 404
    assert verdicts()[1][CHANGED] == "not comparable: not published"


def test_release_that_is_absent(verb: Verb, server: FileServer, output: Path) -> None:
    result = verb(
        *("verify", "smoke", "--suite", "same", "--output", output, "--release", "v2.0.0"),
        *("--published", f"{server.url}/benchmark_output"),
    )
    assert result.exit_code == 6
    assert "no release or suite v2.0.0" in str(result.exception)


def test_storage_in_trouble(verdicts: Verdicts, server: FileServer) -> None:
    server.status["summary.json"] = 503
    assert verdicts()[0] == 6


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("RateLimitError: Error code: 429", "not comparable: partial"),
        ("NotFoundError: The model `x` has been deprecated", "not comparable: model retired"),
    ],
)
def test_run_of_ours_that_failed(verdicts: Verdicts, output: Path, cause: str, expected: str) -> None:
    suite = output / "benchmark_output" / "runs" / "same"
    shutil.rmtree(suite / MCQA)
    edit(suite / "runs_to_run_suites.json", lambda names: names.pop(MCQA))
    journal = Journal(suite)
    journal.write("plan", runs=[MCQA])
    journal.write("fail", run=MCQA, error="RunnerError", cause=cause)
    assert verdicts()[1][CHANGED] == expected


def test_fewer_instances_than_published(verdicts: Verdicts, output: Path) -> None:
    run = output / "benchmark_output" / "runs" / "same" / MCQA
    edit(run / "instances.json", lambda instances: instances.pop())
    edit(run / "display_predictions.json", lambda predictions: predictions.pop())
    assert verdicts()[1][CHANGED] == "not comparable: partial"


def test_one_model_compared_with_another(verdicts: Verdicts) -> None:
    code, found = verdicts("--model", "sim/weak", "--as", "sim/weak=sim/poor")
    assert code == 0 or "drifted" in found.values()
    assert {model for model, _ in found} == {"sim/weak"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "sim/nobody"], "--model sim/nobody: the suite holds no run of it"),
        (["--fail-on", "sad"], "--fail-on sad: unknown verdict"),
        (["--as", "x"], "--as x: must be OURS=PUBLISHED"),
        (["--suite", "none"], "SUITE none: no such suite"),
    ],
)
def test_errors(verdicts: Verdicts, arguments: list[str], message: str) -> None:
    code, found = verdicts(*arguments)
    assert code == 2
    assert found[("error", "")].startswith(message)


def plan_of(runs: Path, path: Path) -> Path:
    specs = [json.loads((run / "run_spec.json").read_bytes()) for run in sorted(runs.glob("*model=sim_strong*"))]
    items = [{"name": spec["name"], "entry": "", "run_spec": spec, "unavailable": None} for spec in specs]
    path.write_text(json.dumps({"run_specs": items, "failed": [], "left_out": []}))
    return path


@pytest.mark.parametrize(
    ("change", "expected", "code"),
    [
        (lambda spec: None, "same recipe", 0),
        (instructions, "recipe differs", 7),
        (lambda spec: spec["adapter_spec"].update(max_eval_instances=9), "not comparable: limits differ", 0),
    ],
)
def test_recipe_check_costs_nothing(
    verb: Verb, made: Path, runs: Path, server: FileServer, tmp_path: Path,
    change: Callable[[Any], object], expected: str, code: int,
) -> None:  # fmt: skip
    plan = plan_of(made / "published" / "benchmark_output" / "runs" / RELEASE, tmp_path / "plan.json")
    edit(runs / MCQA / "run_spec.json", change)
    result = verb(
        *("verify", "smoke", "--recipe", "--plan", plan, "--release", RELEASE, "--json"),
        *("--published", f"{server.url}/benchmark_output"),
    )
    assert result.exit_code == code
    found = {run["run"]: run["result"] for run in json.loads(result.stdout)["runs"]}
    assert len(found) == 3
    assert found[MCQA] == expected
    files = {path.rpartition("/")[2] for path, _, _ in server.requests}
    assert files == {"summary.json", "runs_to_run_suites.json", "run_spec.json"}


def test_compare_suites(verb: Verb, output: Path, tmp_path: Path) -> None:
    result = verb("compare", "same", "same", "--output", output, "--to", tmp_path / "report")
    assert result.exit_code == 0
    assert "6 scenarios: 6 reproduced" in result.stdout
    assert (tmp_path / "report" / "index.html").is_file()
    result = verb("compare", "same", "flipped", "--output", output, "--json", "--fail-on", "within-noise")
    assert result.exit_code == 7


def replace_judge(output: Path, suite: str, **receipt: Any) -> None:
    """Record that ``x/y`` judged this suite."""
    folder = output / "benchmark_output" / "runs" / suite
    identity = {"leaderboard": "smoke", "judge_overrides": {"a/judge": "x/y"}}
    (folder / "suite.json").write_text(json.dumps({"identity": identity, "models": list(MODELS)}))
    if receipt:
        (folder / "receipt.json").write_text(json.dumps({"leaderboard": "smoke", "models": list(MODELS), **receipt}))


def test_another_judge_makes_no_drift(verdicts: Verdicts, verb: Verb, output: Path, server: FileServer) -> None:
    replace_judge(output, "flipped")
    code, found = verdicts(suite="flipped")
    assert (code, found) == (0, dict.fromkeys(SCENARIOS, "not comparable: judge replaced"))
    # A judge that the user's own file defines anew is known from the receipt alone.
    mark = "judge replaced: b/judge by prod_env/model_deployments.yaml"
    replace_judge(output, "same", complete=12, planned=13, partial=["1 failed", mark])
    published = ("--release", RELEASE, "--published", f"{server.url}/benchmark_output")
    result = verb("verify", "smoke", "--suite", "same", "--output", output, *published, "--json")
    document = json.loads(result.stdout)
    assert (document["complete"], document["planned"], document["partial"]) == (12, 13, ["1 failed", mark])
    assert document["scenarios"][0]["reason"].endswith(
        "first: prod_env/model_deployments.yaml scored in place of b/judge; x/y scored in place of a/judge"
    )
    text = verb("report", "same", "--output", output, *published, "--to", output / "report").stdout
    assert "6 not comparable" in text


def test_compare_shows_what_either_suite_lacks(verb: Verb, output: Path, tmp_path: Path) -> None:
    mark = "judge replaced: a/judge by x/y"
    replace_judge(output, "flipped", complete=12, planned=13, partial=["1 failed", mark])
    result = verb("compare", "same", "flipped", "--output", output, "--to", tmp_path)
    assert f"PARTIAL SUITE: flipped: 1 failed\nPARTIAL SUITE: flipped: {mark}\n" in result.stdout
    assert "6 scenarios: 6 not comparable" in result.stdout
    assert f"**Partial suite.** flipped: {mark}" in (tmp_path / "report.md").read_text()
    document = json.loads(verb("compare", "same", "flipped", "--output", output, "--json").stdout)
    unknown = {"suite": "same", "complete": None, "planned": None, "partial": []}
    partial = {"suite": "flipped", "complete": 12, "planned": 13, "partial": ["1 failed", mark]}
    assert document["suites"] == [unknown, partial]
    # The same substitute on both sides is the same judge.
    replace_judge(output, "same")
    document = json.loads(verb("compare", "same", "flipped", "--output", output, "--json").stdout)
    assert "not comparable" not in document["verdicts"]


def test_releases(verb: Verb, server: FileServer) -> None:
    listed = json.loads(verb("releases", "lite", "--json").stdout)
    assert listed["address"] == "https://storage.googleapis.com/crfm-helm-public/lite/benchmark_output"
    assert [row["release"] for row in listed["releases"] if row["latest"]] == ["v1.13.0"]
    checked = verb("releases", "lite", "--check", "--json", "--published", f"{server.url}/benchmark_output")
    rows = {row["release"]: row for row in json.loads(checked.stdout)["releases"]}
    assert rows["v1.0.0"]["runs"] == 12
    assert rows["v1.1.0"]["found"] is None
