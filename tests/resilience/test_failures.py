"""A flapping API, a wrong key, other parameters, a full disk: one clear line and nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.resilience.conftest import KEY, MODEL, RUNS
from tests.support.helm_config import IMPATIENT, write_model
from tests.support.openai_server import Failures
from tests.support.processes import processes_of

pytestmark = pytest.mark.helm


def test_a_third_of_answers_429_or_500_for_a_while_needs_no_help(make_suite, server):
    server.failures = Failures(fraction={"429": 0.15, "500": 0.15}, retry_after=0)
    suite = make_suite("flapping")
    code, output = suite.finish("run", "summarize")
    assert code == 0, output
    assert any(record.outcome in ("429", "500") for record in server.records)
    receipt = json.loads((suite.path / "receipt.json").read_text())
    assert [run["status"] for run in receipt["runs"]] == ["complete"] * RUNS
    assert receipt["partial"] == []


def test_a_refused_key_ends_with_4_and_names_the_variable(make_suite, server):
    server.api_key = "another"
    code, output = make_suite("refused").finish()
    assert code == 4, output
    assert "OPENAI_API_KEY was refused" in output
    assert not any(record.outcome == "200" for record in server.records)
    assert len(server.records) == 1


def test_a_missing_key_is_named(make_suite, server):
    code, output = make_suite("missing").finish(OPENAI_API_KEY="")
    assert code == 4, output
    assert "OPENAI_API_KEY is not set" in output


def test_a_key_may_come_from_a_file_but_not_twice(make_suite, tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    suite = make_suite("file")
    code, output = suite.finish("preflight", OPENAI_API_KEY="", OPENAI_API_KEY_FILE=str(file))
    assert code == 0, output
    code, output = suite.finish("preflight", OPENAI_API_KEY_FILE=str(file))
    assert code == 2
    assert f"OPENAI_API_KEY_FILE={file}: OPENAI_API_KEY is set as well" in output
    code, output = suite.finish("preflight", OPENAI_API_KEY="", OPENAI_API_KEY_FILE="/nothing")
    assert code == 2
    assert "OPENAI_API_KEY_FILE=/nothing: cannot be read" in output


def test_a_trial_run_never_passes_as_the_full_one(make_suite):
    suite = make_suite("limits")
    code, output = suite.finish(MAX_EVAL_INSTANCES="2")
    assert code == 0, output
    code, output = suite.finish(MAX_EVAL_INSTANCES="5")
    assert code == 2
    assert "MAX_EVAL_INSTANCES=5: suite my-suite was started with max_eval_instances=2" in output
    code, output = suite.finish(MAX_EVAL_INSTANCES="5", RESUME="new-suite")
    assert code == 0, output
    assert len(list((suite.path.parent / "my-suite-2").glob("*/stats.json"))) == RUNS
    code, output = suite.finish(MAX_EVAL_INSTANCES="5", RESUME="force")
    assert code == 0, output
    specs = [json.loads(path.read_text()) for path in suite.path.glob("*/run_spec.json")]
    assert {spec["adapter_spec"]["max_eval_instances"] for spec in specs} == {5}
    assert json.loads((suite.path / "suite.json").read_text())["forced"]


def test_failures_are_grouped_with_cause_and_next_step(make_suite, server, tmp_path):
    conf = tmp_path / "bad.conf"
    conf.write_text(
        'entries: [{description: "simple_mcqa:model=text", priority: 1}\n'
        '{description: "copyright:model=text,datatag=pilot", priority: 1}]\n'
    )
    suite = make_suite("groups")
    code, output = suite.finish(RUN_ENTRIES_CONF_PATH=str(conf), RUN_ATTEMPTS="1")
    assert code == 3, output
    (failure,) = json.loads((suite.path / "failures.json").read_text())
    assert failure["run"].startswith("copyright")
    assert failure["cause"]
    assert f"1 run ({failure['class']})" in output
    assert failure["next_step"] in output


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_says_so_and_can_be_resumed(make_suite, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)], check=True)
    try:
        suite = make_suite("disk", data=small / "data")
        code, output = suite.finish(RUN_ATTEMPTS="1")
        assert code in (2, 3), output
        assert "No space left on device" in output or "disk full" in output
        assert "Traceback" not in "".join(line for line in output.splitlines() if line.startswith("helm-repro"))
        subprocess.run(["mount", "-o", "remount,size=100m", str(small)], check=True)
        code, output = suite.finish()
        assert code == 0, output
        assert len(list(suite.path.glob("*/stats.json"))) == RUNS
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def test_secrets_are_in_no_file_argument_or_log(make_suite, server, tmp_path):
    suite = make_suite("secret")
    server.latency = 0.3
    process = suite.start("run", "summarize")
    seen = set()
    while process.poll() is None:
        for pid in processes_of(suite.data):
            try:
                seen.add(Path(f"/proc/{pid}/cmdline").read_bytes())
            except OSError:
                continue
        if len(seen) >= 2 and server.records:
            break
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    assert server.answered
    assert len(seen) >= 2
    assert not [line for line in seen if KEY.encode() in line]
    assert KEY not in output
    assert [path for path in suite.data.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
    assert json.loads((suite.path / "receipt.json").read_text())["credentials"] == ["OPENAI_API_KEY"]


@pytest.mark.parametrize("where", ["variable", "file"])
def test_a_key_that_a_server_repeats_is_in_no_file_or_log(make_suite, server, where):
    server.api_key = "another"
    suite = make_suite("repeated")
    write_model(suite.data / "prod_env", server.base_url, MODEL, api_key=None, client=IMPATIENT)
    variables = {}
    conf = suite.data / "prod_env" / "credentials.conf"
    if where == "file":
        conf.write_text(f"openaiApiKey: {KEY}\n")
        variables["OPENAI_API_KEY"] = ""
    for preflight in ("warn", "off"):
        code, output = suite.finish("run", PREFLIGHT=preflight, **variables)
        assert code == 4, output
        assert "Incorrect API key provided: [redacted]" in output
        assert KEY not in output
    assert "Incorrect API key provided: [redacted]" in (suite.path / "failures.json").read_text()
    holding = [path for path in suite.data.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert [path for path in holding if not path.samefile(conf)] == []


def test_odd_answers_are_reported(make_suite, server):
    server.answer = lambda prompt, body, index: ""
    suite = make_suite("empty")
    code, output = suite.finish()
    assert code == 0, output
    assert "answers are empty; is the model's chat template right?" in output
    receipt = json.loads((suite.path / "receipt.json").read_text())
    assert receipt["models"] == [MODEL]
    assert any(run["anomalies"].get("empty") for run in receipt["runs"])
