"""helm-repro:smoke, as a user runs it."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path

import pytest

from helm_repro.results.scores import read_scores
from tests.support.same_results import differences

pytestmark = pytest.mark.docker

ENVIRONMENT = {"MODELS_TO_RUN": "simple/model1", "MAX_EVAL_INSTANCES": "10"}
SUITE = "benchmark_output/runs/my-suite"


def test_without_network_unprivileged_and_read_only(smoke_image, containers, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 4321, 4321)
    code, output = containers.finish(
        smoke_image,
        "run",
        "summarize",
        environment=ENVIRONMENT,
        network_mode="none",
        user="4321:4321",
        read_only=True,
        tmpfs={"/tmp": ""},
        volumes={str(data): {"bind": "/data", "mode": "rw"}},
    )
    assert code == 0, output
    scores = read_scores(data / SUITE)
    assert len({score.run for score in scores}) == 10
    assert all(score.value is not None for score in scores)
    assert {path.stat().st_uid for path in data.rglob("*")} == {4321}


def test_both_engines_give_the_same_results(smoke_image, containers, helm_entrypoint, tmp_path):
    code, output = containers.finish(
        smoke_image,
        "run",
        environment={**ENVIRONMENT, "MAX_EVAL_INSTANCES": "4"},
        user=f"{os.getuid()}:{os.getgid()}",
        volumes={str(tmp_path / "docker"): {"bind": "/data", "mode": "rw"}},
    )
    assert code == 0, output
    done = helm_entrypoint("run", **{**ENVIRONMENT, "MAX_EVAL_INSTANCES": "4"})
    assert done.returncode == 0, done.stderr
    assert differences(tmp_path / "docker" / SUITE, tmp_path / "data" / SUITE) == []


def test_all_three_stages_become_healthy_serve_and_stop_in_order(smoke_image, containers):
    container = containers.start(
        smoke_image,
        environment={**ENVIRONMENT, "MAX_EVAL_INSTANCES": "2"},
        ports={"8000/tcp": ("127.0.0.1", None)},
    )
    _wait_until_healthy(container)
    port = container.attrs["NetworkSettings"]["Ports"]["8000/tcp"][0]["HostPort"]
    base = f"http://127.0.0.1:{port}"
    assert "<html" in _get(f"{base}/").lower()
    assert len(json.loads(_get(f"{base}/benchmark_output/runs/my-suite/runs.json"))) == 10
    # Docker kills, with 137, what has not ended by then.
    container.stop(timeout=10)
    assert container.wait()["StatusCode"] in (0, 143)


def test_a_container_with_only_the_server_becomes_healthy(smoke_image, containers, tmp_path):
    volumes = {str(tmp_path): {"bind": "/data", "mode": "rw"}}
    user = f"{os.getuid()}:{os.getgid()}"
    variables = {**ENVIRONMENT, "MAX_EVAL_INSTANCES": "2"}
    code, output = containers.finish(smoke_image, "run", "summarize", environment=variables, volumes=volumes, user=user)
    assert code == 0, output
    _wait_until_healthy(containers.start(smoke_image, "server", volumes=volumes, user=user))


def test_a_container_without_a_server_is_healthy_as_long_as_it_runs(smoke_image, containers):
    variables = {**ENVIRONMENT, "MAX_EVAL_INSTANCES": "1000"}
    container = containers.start(smoke_image, "run", "summarize", environment=variables)
    _wait_until_healthy(container)


def test_sigterm_in_the_middle_of_a_run(smoke_image, containers):
    container = containers.start(smoke_image, "run", environment={**ENVIRONMENT, "MAX_EVAL_INSTANCES": "1000"})
    for line in container.logs(stream=True, follow=True):
        if b"stage run starts" in line:
            break
    time.sleep(3)
    container.stop(timeout=10)
    assert container.wait()["StatusCode"] == 143


@pytest.mark.parametrize(
    ("words", "environment", "named"),
    [
        ((), {}, "MODELS_TO_RUN="),
        ((), {"MODELS_TO_RUN": "simple/model1", "NUM_TRAIN_TRIALS": "abc"}, "NUM_TRAIN_TRIALS=abc"),
        (("run",), {"MODELS_TO_RUN": "simple/none"}, "MODELS_TO_RUN=simple/none"),
        (("walk",), {}, "walk"),
    ],
)
def test_wrong_input_exits_2(smoke_image, containers, words, environment, named):
    code, output = containers.finish(smoke_image, *words, environment=environment, network_mode="none")
    assert code == 2, output
    assert f"helm-repro: error {named}" in output


def test_the_data_directory_must_be_writable(smoke_image, containers, tmp_path):
    code, output = containers.finish(
        smoke_image,
        "run",
        environment=ENVIRONMENT,
        user="4321:4321",
        volumes={str(tmp_path): {"bind": "/data", "mode": "ro"}},
    )
    assert code == 2
    (line,) = [line for line in output.splitlines() if "DATA_DIR=/data: cannot be written to by uid 4321" in line]
    assert '--user "$(id -u):$(id -g)"' in line


def test_plan_and_describe_without_network(smoke_image, containers, catalogue):
    container = containers.start(
        smoke_image, "plan", "--json", environment=ENVIRONMENT, network_mode="none", read_only=True, tmpfs={"/tmp": ""}
    )
    assert container.wait(timeout=120)["StatusCode"] == 0
    plan = json.loads(container.logs(stdout=True, stderr=False))
    assert len(plan["run_specs"]) == 10
    code, output = containers.finish(smoke_image, "describe")
    assert code == 0
    assert catalogue.leaderboards["smoke"].entries_sha256[:12] in output


def test_size_layers_and_contents(smoke_image, client, containers, catalogue):
    image = client.images.get(smoke_image)
    smoke = catalogue.leaderboards["smoke"]
    budget = catalogue.environment_of(smoke).size_budget_mb
    assert budget is not None
    assert budget <= 1100
    assert image.attrs["Size"] <= budget * 10**6
    history = image.history()
    assert sum(layer["Size"] for layer in history if "board" in layer["CreatedBy"]) <= 10**6
    assert image.labels["io.github.helm-repro.entries_sha256"] == smoke.entries_sha256
    script = "command -v gcc cc g++ make; ls -d /root/.cache /tmp/* ~/.cache/uv /root/.cache/pip 2>/dev/null; true"
    container = containers.start(smoke_image, "-c", script, entrypoint="/bin/sh")
    container.wait()
    assert container.logs().decode() == ""


def test_no_certificate_or_index_of_the_building_machine_is_in_the_image(smoke_image, containers):
    ca_file = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    container = containers.start(smoke_image, "-c", "cat /etc/ssl/certs/ca-certificates.crt; env", entrypoint="/bin/sh")
    container.wait()
    inside = container.logs().decode()
    assert "BEGIN CERTIFICATE" in inside
    debian = Path("/usr/share/ca-certificates")
    known = "".join(path.read_text() for path in debian.rglob("*.crt"))
    ours = {pem for pem in _certificates(ca_file.read_text()) if pem not in known}
    assert not [pem for pem in ours if pem in inside]
    assert "INDEX" not in inside
    assert "PROXY" not in inside.upper()


def _wait_until_healthy(container):
    deadline = time.monotonic() + 300
    while True:
        container.reload()
        assert container.status == "running", container.logs().decode()
        if container.attrs["State"]["Health"]["Status"] == "healthy":
            break
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(1)


def _certificates(bundle: str) -> list[str]:
    end = "-----END CERTIFICATE-----"
    return [part[part.index("-----BEGIN") :] + end for part in bundle.split(end) if "-----BEGIN" in part]


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())
