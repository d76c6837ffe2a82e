"""What metrics would fetch once everything is paid for is there before, or named."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from helm_repro.inside.checks import prerequisites
from helm_repro.inside.data import datasets_lock, scoring_files, wheel
from helm_repro.inside.data.offline import python_folder
from helm_repro.inside.exit_codes import ExitCode
from helm_repro.inside.inputs.settings import Settings, read_settings
from tests.conftest import ROOT, clean_environment

WHEEL = "en_core_web_sm-3.8.0-py3-none-any.whl"


def wheel_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("en_core_web_sm/__init__.py", "")
        archive.writestr("en_core_web_sm-3.8.0.dist-info/METADATA", "Name: en_core_web_sm\nVersion: 3.8.0\n")
    return buffer.getvalue()


def run_spec(task: str) -> dict[str, Any]:
    return {"metric_specs": [{"class_name": scoring_files.SUMMARIZATION, "args": {"task": task}}]}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """What the internet has: file name -> content."""
    content = {WHEEL: wheel_bytes(), "qafacteval.pk": b"scores"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = content.get(self.path.rpartition("/")[2])
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("_SPACY_RELEASES", "_SCORES", "_RATINGS"):
            monkeypatch.setattr(scoring_files, name, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(scoring_files, "_SECONDS_BETWEEN_ATTEMPTS", 0)
        monkeypatch.setattr(scoring_files.importlib.metadata, "version", lambda name: "3.8.14")
        digest = hashlib.sha256(content[WHEEL]).hexdigest()
        monkeypatch.setattr(scoring_files, "SPACY_MODELS", {"3.8": ("3.8.0", digest)})
        yield content
        server.shutdown()


@pytest.fixture
def settings(board, tmp_path: Path) -> Settings:
    return make_settings(board, tmp_path)


def make_settings(board, data: Path, **variables: str) -> Settings:
    return read_settings({"DATA_DIR": str(data), "MODELS_TO_RUN": "simple/model1", **variables}, board)


def test_runs_without_such_metrics_need_nothing(settings):
    assert scoring_files.provide(settings, {"a": {"metric_specs": [{"class_name": "x.Y", "args": {}}]}}) == []
    assert not settings.prod_env.exists()


def test_the_model_is_unpacked_where_helm_imports_and_scores_where_it_looks(served, settings):
    settings.suite_path.mkdir(parents=True)
    assert scoring_files.provide(settings, {"a": run_spec("medi_qa")}) == []
    assert wheel.has(python_folder(settings.prod_env / "cache"), "en_core_web_sm")
    assert (settings.suite_path / "eval_cache/qafacteval.pk").read_bytes() == b"scores"
    served.clear()
    assert scoring_files.provide(settings, {"a": run_spec("medi_qa")}) == []


def test_the_lock_names_their_sources(served, settings):
    scoring_files.provide(settings, {"a": run_spec("medi_qa")})
    record = datasets_lock.write(settings.data_dir, settings.prod_env, scoring_files.sources(settings))
    found = {Path(entry["path"]).name: entry["source"] for entry in record["files"]}
    assert set(found) == {"__init__.py", "METADATA", "qafacteval.pk"}
    assert all(source.endswith(WHEEL) for name, source in found.items() if name != "qafacteval.pk")
    assert found["qafacteval.pk"].endswith("/qafacteval.pk")


def test_tasks_that_people_rated_need_the_ratings_too(served, settings):
    names = [
        file.name for file in scoring_files.needed(settings, {"a": run_spec("summarization_xsum"), "b": run_spec("x")})
    ]
    assert names == [WHEEL, "qafacteval.pk", "xsum_0shots.csv", "xsum_5shots.csv"]


def test_what_cannot_be_fetched_names_file_runs_and_where_to_put_it(served, settings):
    del served[WHEEL]
    plan = {
        "run_specs": [
            {"name": name, "entry": f"{name}:model=m", "run_spec": run_spec(name), "unavailable": gone}
            for name, gone in (("medi_qa", None), ("med_dialog", None), ("gone", "withdrawn"))
        ]
    }
    ((where, message, code),) = prerequisites.missing(settings, plan)
    assert (where, code) == (WHEEL, ExitCode.UPSTREAM_DATA)
    assert "HTTP Error 404" in message
    assert "without it 2 runs (medi_qa, med_dialog) cannot be scored" in message
    assert message.endswith(f"put it into {settings.prod_env}/cache/python")


def test_a_file_put_by_hand_needs_no_network(served, board, tmp_path):
    settings = make_settings(board, tmp_path, OFFLINE="1")
    for folder, name in (("python", WHEEL), ("metrics", "qafacteval.pk")):
        path = settings.prod_env / "cache" / folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(served[name])
    assert scoring_files.provide(settings, {"a": run_spec("medi_qa")}) == []


def test_offline_says_what_to_do(served, board, tmp_path):
    settings = make_settings(board, tmp_path, OFFLINE="1")
    problems = dict(scoring_files.provide(settings, {"a": run_spec("medi_qa")}))
    assert set(problems) == {WHEEL, "qafacteval.pk"}
    assert "run `warm` with a network first" in problems[WHEEL]


@pytest.mark.parametrize("by_hand", [True, False])
def test_another_file_is_refused(served, settings, by_hand):
    folder = python_folder(settings.prod_env / "cache")
    folder.mkdir(parents=True)
    served[WHEEL] += b"more"
    if by_hand:
        (folder / WHEEL).write_bytes(served[WHEEL])
    problems = dict(scoring_files.provide(settings, {"a": run_spec("medi_qa")}))
    assert re.search(rf"the SHA-256 of {folder}/{WHEEL} is \w+, not \w+;", problems[WHEEL])
    # What a user has put there stays; what was fetched is not taken for the file the next time.
    assert [path.name for path in folder.iterdir()] == ([WHEEL] if by_hand else [])


def test_a_model_is_known_for_the_spacy_of_every_environment(catalogue):
    for environment in catalogue.environments:
        lock = (ROOT / "images" / environment / "requirements.lock").read_text()
        (release,) = re.findall(r"^spacy==(\d+\.\d+)\.", lock, re.MULTILINE)
        assert release in scoring_files.SPACY_MODELS, environment


# What spaCy and HELM ask before they would ask pip.
_IN_HELMS_PROCESS = """
import os, sys
from pathlib import Path
from helm_repro.inside.data import offline
from helm_repro.inside.process.helm_process import HelmProcess
from tests.support import spacy_stand_in
cache = Path(sys.argv[1])
environ = {**os.environ, **offline.environment(cache, os.environ, False, None)}
with HelmProcess(cache, environ) as helm:
    helm.start(["spacy"])
    print(helm.call("spacy.util:is_package", name="en_core_web_sm"))
    spacy_stand_in.install(offline.python_folder(cache))
    print(helm.call("spacy.util:is_package", name="en_core_web_sm"))
"""


@pytest.mark.helm
def test_helms_process_finds_a_model_that_came_after_it_had_started(helm_python, tmp_path):
    command = [str(helm_python), "-c", _IN_HELMS_PROCESS, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["False", "True"], done.stderr


@pytest.mark.helm
def test_nothing_starts_without_them(helm_entrypoint, tmp_path):
    conf = tmp_path / "one.conf"
    conf.write_text('entries: [{description: "summarization_xsum_sampled:model=text,device=cpu", priority: 1}]\n')
    done = helm_entrypoint("run", MODELS_TO_RUN="simple/model1", RUN_ENTRIES_CONF_PATH=str(conf), OFFLINE="1")
    assert done.returncode == ExitCode.UPSTREAM_DATA, done.stderr
    assert f"problem: {WHEEL}: cannot be had from https://github.com/explosion/spacy-models" in done.stderr
