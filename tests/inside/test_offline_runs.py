"""``warm`` where there is a network, then the same evaluation where there is none."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import ROOT, entrypoint_environment, entrypoint_with
from tests.support.same_results import assert_same_results

pytestmark = pytest.mark.helm

# helm/benchmark/scenarios/babi_qa_scenario.py: one of the few data sets at an address without TLS.
URL = "http://www.thespermwhale.com/jaseweston/babi/tasks_1-20_v1-2.tar.gz"
STORY = """\
1 Mary moved to the bathroom.
2 John went to the {place}.
3 Where is Mary? \tbathroom\t1
4 Where is John? \t{place}\t2
"""
NO_NETWORK = shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0


def archive() -> bytes:
    """A small archive with the layout of the real one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for split in ("train", "valid", "test"):
            text = "".join(STORY.format(place=place) for place in ("hallway", "garden", "office")).encode()
            member = tarfile.TarInfo(f"tasks_1-20_v1-2/en-valid/qa1_{split}.txt")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


@pytest.fixture
def internet() -> Iterator[tuple[str, list[str]]]:
    """A proxy that stands for the internet: its address, and what was asked of it."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = archive() if self.path == URL else b""
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_CONNECT(self) -> None:
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_offline_gives_what_online_gives(helm_python, helm_entrypoint, smoke_board, tmp_path, internet):
    address, asked = internet
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), address) | {"no_proxy": ""}
    conf = tmp_path / "two.conf"
    conf.write_text(
        'entries: [{description: "babi_qa:model=text,task=1", priority: 1}\n'
        '{description: "simple_mcqa:model=text", priority: 1}]\n'
    )
    variables = {
        "MODELS_TO_RUN": "simple/model1",
        "RUN_ENTRIES_CONF_PATH": str(conf),
        "MAX_EVAL_INSTANCES": "2",
        "SUITE_NAME": "one",
    }
    data = tmp_path / "data"
    # NLTK looks whether it is there, and its address has TLS, for which this internet has no certificate.
    (data / "prod_env/cache/nltk/tokenizers/punkt_tab").mkdir(parents=True)

    warm = helm_entrypoint("warm", **variables, **proxy)
    assert warm.returncode == 0, warm.stderr
    assert asked.count(URL) == 1
    lock = json.loads((data / "prod_env/datasets.lock").read_text())
    sources = {entry["path"]: entry["source"] for entry in lock["files"]}
    assert sources["benchmark_output/scenarios/babi_qa/data/tasks_1-20_v1-2/en-valid/qa1_test.txt"] == URL
    # Only data: no run that a suite could take for its own.
    assert not list(data.rglob("run_spec.json"))
    assert not list((data / "benchmark_output/runs").glob("*"))

    cold = tmp_path / "cold"
    shutil.copytree(data, cold, symlinks=True)
    online = helm_entrypoint("run", **variables, **proxy)
    assert online.returncode == 0, online.stderr

    without_network = ["unshare", "-rn"] if NO_NETWORK else []
    offline = subprocess.run(
        [*without_network, str(helm_python), str(ROOT / "entrypoint.py"), "run"],
        env=entrypoint_environment(smoke_board, cold, {**variables, "OFFLINE": "1"}),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert offline.returncode == 0, offline.stderr
    suites = [root / "benchmark_output/runs/one" for root in (data, cold)]
    assert len(list(suites[0].glob("*/stats.json"))) == 2
    assert_same_results(*suites)
    assert json.loads((suites[1] / "receipt.json").read_text())["datasets"]["differing"] == []

    # Other bytes are reported, by name.
    story = cold / "benchmark_output/scenarios/babi_qa/data/tasks_1-20_v1-2/en-valid/qa1_test.txt"
    story.write_text(story.read_text().replace("Mary", "Anna"))
    again = subprocess.run(
        [str(helm_python), str(ROOT / "entrypoint.py"), "preflight"],
        env=entrypoint_environment(smoke_board, cold, {**variables, "OFFLINE": "1", "SUITE_NAME": "two"}),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert again.returncode == 0, again.stderr
    assert (
        "warning: datasets.lock: benchmark_output/scenarios/babi_qa/data/tasks_1-20_v1-2/en-valid/qa1_test.txt: other "
        in (again.stderr)
    )


def test_offline_without_data_names_the_host(helm_entrypoint, tmp_path, internet):
    conf = tmp_path / "one.conf"
    conf.write_text('entries: [{description: "babi_qa:model=text,task=1", priority: 1}]\n')
    variables = {"MODELS_TO_RUN": "simple/model1", "RUN_ENTRIES_CONF_PATH": str(conf)}
    done = helm_entrypoint("run", OFFLINE="1", **variables)
    assert done.returncode == 6, done.stderr
    assert "OFFLINE=1 forbids reaching www.thespermwhale.com" in done.stderr
    assert internet[1] == []
    done = helm_entrypoint("warm", OFFLINE="1", **variables)
    assert done.returncode == 2
    assert "OFFLINE=1: warm is what needs the network" in done.stderr


def test_a_helm_run_that_dies_before_its_runs_begin_is_no_success(helm_python, smoke_board, tmp_path, internet):
    board, data = tmp_path / "board", tmp_path / "data"
    shutil.copytree(smoke_board, board)
    record = json.loads((board / "board.json").read_text())
    record["leaderboard"]["plugins"] = ["no_such_plugin"]
    (board / "board.json").write_text(json.dumps(record))
    (data / "prod_env/cache/nltk/tokenizers/punkt_tab").mkdir(parents=True)
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), internet[0]) | {"no_proxy": ""}
    done = entrypoint_with(helm_python, board, data)("warm", MODELS_TO_RUN="simple/model1", **proxy)
    assert done.returncode == 3, done.stderr
    assert "no_such_plugin" in done.stderr
    assert (
        done.stderr.splitlines()[-1] == "helm-repro: error warm: helm-run ended with 1, so data is missing; see above"
    )
