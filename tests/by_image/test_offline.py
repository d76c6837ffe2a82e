"""``warm`` in the image where there is a network, then the same evaluation under ``--network none``."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.inside.test_offline_runs import URL, internet  # noqa: F401 - a fixture
from tests.support.same_results import assert_same_results

pytestmark = pytest.mark.docker

CONF = """\
entries: [{description: "babi_qa:model=text,task=1", priority: 1}
{description: "simple_mcqa:model=text", priority: 1}]
"""


def test_a_warmed_cache_gives_without_network_what_the_network_gave(smoke_image, containers, tmp_path, internet):  # noqa: F811
    address, asked = internet
    (tmp_path / "two.conf").write_text(CONF)
    online_data, offline_data = tmp_path / "online", tmp_path / "offline"
    # NLTK looks whether it is there, and its address has TLS, for which this internet has no certificate.
    (online_data / "prod_env/cache/nltk/tokenizers/punkt_tab").mkdir(parents=True)

    def run(word, data, network, **environment):
        return containers.finish(
            smoke_image,
            word,
            environment={
                "MODELS_TO_RUN": "simple/model1",
                "RUN_ENTRIES_CONF_PATH": "/two.conf",
                "MAX_EVAL_INSTANCES": "2",
                **environment,
            },
            network_mode=network,
            user=f"{os.getuid()}:{os.getgid()}",
            read_only=True,
            tmpfs={"/tmp": ""},
            volumes={
                str(data): {"bind": "/data", "mode": "rw"},
                str(tmp_path / "two.conf"): {"bind": "/two.conf", "mode": "ro"},
            },
        )

    # Host network: that is where the stand-in for the internet listens.
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), address)
    code, output = run("warm", online_data, "host", **proxies)
    assert code == 0, output
    assert asked.count(URL) == 1
    shutil.copytree(online_data, offline_data, symlinks=True)

    code, output = run("run", online_data, "host", **proxies)
    assert code == 0, output
    # OFFLINE=1 makes the libraries look into their caches only; without a network it is the same without.
    for suite, environment in (("my-suite", {"OFFLINE": "1"}), ("without-the-variable", {})):
        code, output = run("run", offline_data, "none", SUITE_NAME=suite, **environment)
        assert code == 0, output
        suites = [
            online_data / "benchmark_output/runs/my-suite",
            offline_data / "benchmark_output/runs" / suite,
        ]
        assert len(list(suites[0].glob("*/stats.json"))) == 2
        assert_same_results(*suites)
        assert json.loads((suites[1] / "receipt.json").read_text())["datasets"]["differing"] == []

    # Without the cache it is known to fail: what was shown above is the cache's doing.
    code, output = run("run", tmp_path / "empty", "none", OFFLINE="1", RUN_ATTEMPTS="1")
    assert code == 3, output
    assert "OFFLINE=1 forbids reaching www.thespermwhale.com" in output
