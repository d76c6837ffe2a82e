"""OFFLINE=1 and datasets.lock, without HELM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helm_repro.inside.data import datasets_lock, offline
from helm_repro.inside.errors import InsideError
from tests.conftest import ROOT

_GUARDED = """
import http.server, socket, subprocess, sys, threading, urllib.request
from helm_repro.inside.data.offline import guard
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
guard(["model-server.invalid"])
def outcome(action):
    try:
        action()
    except OSError as error:
        return str(getattr(error, "reason", error))
    return "done"
print(outcome(lambda: urllib.request.urlopen(f"http://localhost:{server.server_port}/").read()))
print(outcome(lambda: urllib.request.urlopen("http://example.invalid/")))
print(outcome(lambda: socket.create_connection(("192.0.2.1", 80), timeout=1)))
print(outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("192.0.2.1", 80))))
print(outcome(lambda: subprocess.run(["wget", "http://example.invalid/"])))
print(outcome(lambda: socket.getaddrinfo("model-server.invalid", 80)))
"""


def test_the_guard_lets_only_this_machine_and_the_models_server_pass() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _GUARDED], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "done"
    assert lines[1].startswith("OFFLINE=1 forbids reaching example.invalid; run `warm` with a network first")
    assert lines[2].startswith("OFFLINE=1 forbids reaching 192.0.2.1")
    assert lines[3].startswith("OFFLINE=1 forbids reaching 192.0.2.1")
    assert lines[4] == "OFFLINE=1 forbids wget"
    # The resolver's own answer, not ours.
    assert "OFFLINE" not in lines[5]


def test_caches_are_below_the_data_directory_unless_mounted_elsewhere(tmp_path: Path) -> None:
    variables = offline.environment(tmp_path, {"NLTK_DATA": "/mnt/nltk"}, offline=True, base_url="http://gpu:8000/v1")
    assert variables["HF_HOME"] == str(tmp_path / "huggingface")
    assert variables["NLTK_DATA"] == "/mnt/nltk"
    assert variables["HF_HUB_OFFLINE"] == variables["HF_DATASETS_OFFLINE"] == variables["TRANSFORMERS_OFFLINE"] == "1"
    assert variables[offline.ALLOWED_VARIABLE] == "gpu"
    assert variables["NO_PROXY"] == variables["no_proxy"] == "*"
    online = offline.environment(tmp_path, {}, offline=False, base_url=None)
    assert set(online) == {*offline.CACHES, "PYTHONPATH"}


def test_helms_processes_import_packages_of_data_from_a_folder_that_is_there_before_they_start(tmp_path: Path) -> None:
    variables = offline.environment(tmp_path, {"PYTHONPATH": "/mine"}, offline=False, base_url=None)
    assert variables["PYTHONPATH"] == f"/mine:{tmp_path}/python"
    assert (tmp_path / "python").is_dir()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    commit = "c" * 40
    for name, text in {
        "benchmark_output/scenarios/imdb/data/pos.txt": "good",
        "benchmark_output/scenarios/imdb/data.lock": "",
        f"prod_env/cache/huggingface/hub/datasets--org--set/snapshots/{commit}/a.csv": "a,b",
        "prod_env/cache/nltk/tokenizers/punkt_tab/english.txt": "x",
        "prod_env/cache/openai.sqlite": "answers",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_lock_says_what_each_file_is_and_where_it_came_from(data: Path) -> None:
    downloads = {str(data / "benchmark_output/scenarios/imdb/data"): "http://host/imdb.tar.gz"}
    record = datasets_lock.write(data, data / "prod_env", downloads)
    assert record == datasets_lock.read(data / "prod_env")
    found = {Path(entry["path"]).name: (entry["size"], entry["source"], entry["revision"]) for entry in record["files"]}
    assert found == {
        "pos.txt": (4, "http://host/imdb.tar.gz", None),
        "a.csv": (3, "https://huggingface.co/datasets/org/set", "c" * 40),
        "english.txt": (1, "https://github.com/nltk/nltk_data", None),
    }
    # A second warm downloads nothing and forgets nothing.
    assert datasets_lock.write(data, data / "prod_env", {}) == record


def test_other_bytes_are_found(data: Path) -> None:
    prod_env = data / "prod_env"
    datasets_lock.write(data, prod_env, {})
    assert datasets_lock.differing(data, prod_env) == []
    positive = data / "benchmark_output/scenarios/imdb/data/pos.txt"
    os.utime(positive)
    assert datasets_lock.differing(data, prod_env) == []
    positive.write_text("evil")
    os.utime(positive, ns=(1, 1))
    (prod_env / "cache/nltk/tokenizers/punkt_tab/english.txt").unlink()
    (data / "benchmark_output/scenarios/imdb/new.txt").write_text("not in the lock")
    assert datasets_lock.differing(data, prod_env) == [
        "benchmark_output/scenarios/imdb/data/pos.txt: other content than when it was fetched",
        "prod_env/cache/nltk/tokenizers/punkt_tab/english.txt: is missing",
    ]
    positive.write_text("longer")
    assert "6 bytes, 4 when it was fetched" in datasets_lock.differing(data, prod_env)[0]
    summary = datasets_lock.summary(data, prod_env)
    assert summary is not None
    assert len(summary["differing"]) == 2


def test_no_lock_and_a_broken_lock(tmp_path: Path) -> None:
    assert datasets_lock.summary(tmp_path, tmp_path) is None
    assert datasets_lock.differing(tmp_path, tmp_path) == []
    for text in ("{", "[]", json.dumps({"schema_version": 99, "files": []}), '{"schema_version": 1, "files": [1]}'):
        (tmp_path / datasets_lock.FILE_NAME).write_text(text)
        with pytest.raises(InsideError, match="cannot be read"):
            datasets_lock.read(tmp_path)
