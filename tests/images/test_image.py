"""What the built images are: small, shared, unprivileged, without tools, and whole."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.images.bake import build
from helm_repro.images.labels import PREFIX
from tests.by_image.conftest import client, smoke_image  # noqa: F401 - fixtures

pytestmark = pytest.mark.docker

# Every client of a hosted provider that HELM 0.5.16 has, and what reads and scores beside them.
MODULES = [
    *(f"helm.clients.{name}_client" for name in ("ai21", "aleph_alpha", "anthropic", "azure_openai", "bedrock")),
    *(f"helm.clients.{name}_client" for name in ("cohere", "google_genai", "grok", "ibm", "mistral", "nvidia_nim")),
    *(
        f"helm.clients.{name}_client"
        for name in ("openai", "openai_responses", "openrouter", "palmyra", "perspective_api")
    ),
    *(f"helm.clients.{name}_client" for name in ("reka", "together", "upstage", "vertexai", "vllm", "writer", "yi")),
    *(f"helm.tokenizers.{name}_tokenizer" for name in ("ai21", "aleph_alpha", "cohere", "huggingface", "tiktoken")),
    *(
        "helm.benchmark.metrics.ranking_metrics",
        "helm.benchmark.metrics.fin_qa_metrics",
        "helm.benchmark.metrics.decodingtrust_fairness_metrics",
    ),
    *("helm.benchmark.metrics.ifeval_metrics", "helm.benchmark.metrics.toxicity_metrics"),
    *("helm.benchmark.augmentations.synonym_perturbation", "helm.common.images_utils"),
]


@pytest.fixture(scope="module")
def pair(smoke_image: str, catalogue: Catalogue) -> list[dict[str, Any]]:  # noqa: F811
    """Facts of smoke and of another board of the same environment."""
    names = build(catalogue, ["smoke", "mmlu"])
    return json.loads(subprocess.check_output(["docker", "image", "inspect", *names]))


def python(image: str, code: str, *options: str) -> str:
    """Run Python code in an image, without a network."""
    command = ["docker", "run", "--rm", "--network", "none", *options, "--entrypoint", "/opt/helm/bin/python", image]
    return subprocess.run([*command, "-c", code], check=True, capture_output=True, text=True).stdout


def test_size_is_within_the_environments_budget(pair: list[dict[str, Any]], catalogue: Catalogue) -> None:
    budget = catalogue.environments["helm-0.5.16"].size_budget_mb
    assert budget is not None
    assert pair[0]["Size"] <= budget * 1e6


def test_boards_of_an_environment_share_every_layer_but_the_last(pair: list[dict[str, Any]]) -> None:
    smoke, mmlu = (image["RootFS"]["Layers"] for image in pair)
    assert smoke[:-1] == mmlu[:-1]
    assert smoke[-1] != mmlu[-1]


def test_a_boards_own_layer_is_at_most_a_megabyte(pair: list[dict[str, Any]]) -> None:
    for image in pair:
        command = ["docker", "history", "--human=false", "--format", "{{.Size}}", image["Id"]]
        sizes = [int(size) for size in subprocess.check_output(command, text=True).split()]
        assert 0 < next(size for size in sizes if size) <= 1_000_000


def test_configuration(pair: list[dict[str, Any]], catalogue: Catalogue) -> None:
    config = pair[1]["Config"]
    entrypoint = ["tini", "--", "/opt/helm/bin/python", "/opt/helm-repro/entrypoint.py"]
    assert config["Entrypoint"] == entrypoint
    assert not config["Cmd"]
    assert config["User"] == "helm"
    assert config["WorkingDir"] == "/data"
    assert list(config["Volumes"]) == ["/data"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert config["Healthcheck"]["Test"] == ["CMD", *entrypoint[2:], "healthcheck"]
    assert config["Labels"][PREFIX + "entries_sha256"] == catalogue.leaderboards["mmlu"].entries_sha256
    assert config["Labels"][PREFIX + "helm_version"] == "0.5.16"


def test_no_compiler_no_installer_no_cache(smoke_image: str) -> None:  # noqa: F811
    found = python(
        smoke_image,
        "import shutil, pathlib\n"
        "print([tool for tool in ('gcc', 'cc', 'g++', 'ld', 'strip', 'make', 'uv') if shutil.which(tool)])\n"
        "print([str(p) for p in map(pathlib.Path, ('/opt/uv', '/root/.cache', '/run/secrets')) if p.exists()])\n"
        "print(sorted(p.name for p in pathlib.Path('/opt/helm/bin').glob('pip*')))\n"
        "print(list(pathlib.Path('/var/lib/apt/lists').iterdir()))\n",
        "--user=0",
    )
    assert found.splitlines() == ["[]", "[]", "[]", "[]"]


def test_every_hosted_provider_can_be_called_and_scores_computed(smoke_image: str) -> None:  # noqa: F811
    code = (
        "import importlib, json, sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "failed = {}\n"
        f"for name in {MODULES!r}:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except Exception as error:\n"
        "        failed[name] = repr(error)\n"
        "print(json.dumps(failed))\n"
    )
    assert json.loads(python(smoke_image, code).splitlines()[-1]) == {}


def test_libraries_compute_after_trimming(smoke_image: str) -> None:  # noqa: F811
    code = (
        "import io, numpy, scipy.linalg, pandas, pyarrow, pyarrow.parquet, datasets, PIL.Image, spacy, boto3\n"
        "matrix = numpy.arange(9.0).reshape(3, 3) + numpy.eye(3)\n"
        "print(numpy.allclose(scipy.linalg.inv(matrix) @ matrix, numpy.eye(3)))\n"
        "file = io.BytesIO()\n"
        "pandas.DataFrame({'a': [1, 2]}).to_parquet(file)\n"
        "print(datasets.Dataset(pyarrow.parquet.read_table(io.BytesIO(file.getvalue())))['a'])\n"
        "image = io.BytesIO()\n"
        "PIL.Image.new('RGB', (2, 2)).save(image, 'PNG')\n"
        "print(PIL.Image.open(image).size)\n"
        "print([token.text for token in spacy.blank('en')('two words')])\n"
        "print([boto3.client(s, region_name='us-east-1').meta.service_model.service_name"
        " for s in ('bedrock', 'bedrock-runtime', 'sts')])\n"
    )
    lines = python(smoke_image, code, "--read-only", "--tmpfs=/tmp").splitlines()
    assert lines == [
        *("True", "[1, 2]", "(2, 2)", "['two', 'words']"),
        "['bedrock', 'bedrock-runtime', 'sts']",
    ]


def test_helm_still_unpacks_zst_archives(smoke_image: str) -> None:  # noqa: F811
    code = (
        "import os, zstandard\n"
        "from helm.common.general import ensure_file_downloaded\n"
        "os.chdir('/tmp')\n"
        "open('source.zst', 'wb').write(zstandard.ZstdCompressor().compress(b'the pile' * 1000))\n"
        "ensure_file_downloaded('file:///tmp/source.zst', 'target.jsonl')\n"
        "print(len(open('target.jsonl').read()), zstandard.__version__ > '0.18')\n"
    )
    assert python(smoke_image, code).splitlines()[-1] == "8000 True"


def test_bytecode_is_there_and_current(smoke_image: str) -> None:  # noqa: F811
    code = (
        "import importlib.util, pathlib, json, numpy, helm.benchmark.run, helm_repro.inside.inputs.board\n"
        "for module in (json, numpy, helm.benchmark.run, helm_repro.inside.inputs.board):\n"
        "    cached = pathlib.Path(module.__cached__)\n"
        "    print(cached.exists() and cached.read_bytes()[:4] == importlib.util.MAGIC_NUMBER)\n"
    )
    lines = python(smoke_image, code, "--env=PYTHONPATH=/opt/helm-repro").splitlines()
    assert lines == ["True"] * 4


def test_nothing_of_the_building_machine_is_in_the_history(smoke_image: str) -> None:  # noqa: F811
    command = ["docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", smoke_image]
    history = subprocess.check_output(command, text=True)
    assert "://" not in history.replace("https://github.com", "").replace("https://peps.python.org", "")
    assert str(Path.home()) not in history.replace("/root/.cache/uv", "") or Path.home() == Path("/root")


@pytest.mark.parametrize("user", ["helm", "0:0", "4321:4321", "1000:0"])
def test_the_data_directory_belongs_to_whoever_runs_it(smoke_image: str, user: str) -> None:  # noqa: F811
    code = (
        "import getpass, os, pathlib, tempfile\n"
        "pathlib.Path('x').mkdir()\n"
        "tempfile.TemporaryFile()\n"
        "print(os.getcwd(), getpass.getuser(), os.path.expanduser('~'))\n"
    )
    options = ("--read-only", "--tmpfs=/tmp", f"--user={user}")
    assert python(smoke_image, code, *options).split() == ["/data", "helm", "/tmp"]
