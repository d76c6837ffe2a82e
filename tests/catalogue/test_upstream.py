"""``helm-repro upstream``: equal files pass, and each kind of difference is named and exits 7."""

from __future__ import annotations

import hashlib
import shutil

import httpx
import pytest
import yaml
from click.testing import CliRunner

from helm_repro.catalogue import load_catalogue, upstream
from helm_repro.catalogue.notation import RunEntry
from helm_repro.catalogue.render import conf_text
from helm_repro.catalogue.upstream import compare, read_conf
from helm_repro.cli.main import verbs
from helm_repro.errors import ConfigurationError
from tests.conftest import ROOT

SCHEMA = b"metric_groups: []\nrun_groups: []\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A catalogue with smoke, and with mmlu whose schema is our own invention."""
    for folder in ("leaderboards/smoke", "leaderboards/mmlu", "images"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    path = tmp_path / "leaderboards/mmlu/leaderboard.yaml"
    record = {**yaml.safe_load(path.read_text()), "schema_sha256": hashlib.sha256(SCHEMA).hexdigest()}
    path.write_text(yaml.safe_dump(record))
    monkeypatch.setenv("HELM_REPRO_HOME", str(tmp_path))
    load_catalogue.cache_clear()
    yield tmp_path
    load_catalogue.cache_clear()


@pytest.fixture
def theirs(root, tmp_path):
    """HELM's files for mmlu, equal to ours; tests change them."""
    catalogue = load_catalogue(root)
    folder = tmp_path / "theirs/helm-0.5.16"
    folder.mkdir(parents=True)
    entries = catalogue.entries(catalogue.leaderboards["mmlu"])
    (folder / "run_entries_mmlu.conf").write_text(conf_text(entries))
    (folder / "schema_mmlu.yaml").write_bytes(SCHEMA)
    return folder


def run(*arguments: str):
    return CliRunner().invoke(verbs, ["upstream", *arguments])


def test_equal_files_are_equal(theirs):
    done = run("--all", "--from", str(theirs.parent))
    assert done.exit_code == 0, done.output
    assert "mmlu: run_entries_mmlu.conf and schema_mmlu.yaml of HELM 0.5.16: equal, 57 entries" in done.output
    assert done.output.endswith("1 of 1 equal\n")


def test_a_checkout_of_helm_will_do(theirs, tmp_path):
    for name, folder in (("run_entries_mmlu.conf", "presentation"), ("schema_mmlu.yaml", "static")):
        target = tmp_path / "checkout/src/helm/benchmark" / folder
        target.mkdir(parents=True)
        shutil.copy(theirs / name, target / name)
    assert run("mmlu", "--from", str(tmp_path / "checkout")).exit_code == 0


def test_every_kind_of_difference_is_named(root, theirs):
    catalogue = load_catalogue(root)
    a, b, c, _, *rest = catalogue.entries(catalogue.leaderboards["mmlu"])
    extra = RunEntry(description="extra:model=text")
    upstream_entries = [b, a, c.model_copy(update={"priority": 5}), extra, *rest]
    (theirs / "run_entries_mmlu.conf").write_text(conf_text(upstream_entries))
    (theirs / "schema_mmlu.yaml").write_bytes(SCHEMA + b"\n")
    done = run("mmlu", "--from", str(theirs.parent))
    assert done.exit_code == 7
    kinds = [line.split()[0] for line in done.output.splitlines() if line.startswith("  ")]
    assert sorted(kinds) == ["added", "changed", "missing", "order", "schema"]
    assert "missing  extra:model=text (priority none): only upstream, entry 4" in done.output
    assert f"changed  {c.description}: priority 5 upstream, {c.priority} here" in done.output
    assert done.output.endswith("0 of 1 equal\n")


def test_a_wrong_name_or_folder_is_one_line(theirs, tmp_path):
    assert "is not one of HELM's leaderboards" in str(run("smoke", "--from", str(theirs)).exception)
    (theirs / "schema_mmlu.yaml").unlink()
    assert "holds none of 0.5.16/schema_mmlu.yaml" in str(run("mmlu", "--from", str(theirs.parent)).exception)


def test_without_a_folder_the_pinned_commit_is_downloaded_and_passing_errors_are_retried(theirs, monkeypatch):
    asked = []

    def get(url: str, **_: object) -> httpx.Response:
        asked.append(url)
        request = httpx.Request("GET", url)
        if len(asked) == 1:
            return httpx.Response(503, request=request)
        return httpx.Response(200, content=(theirs / url.rpartition("/")[2]).read_bytes(), request=request)

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setattr(upstream._download.retry, "sleep", lambda seconds: None)
    assert run("mmlu").exit_code == 0
    commit = load_catalogue().environments["helm-0.5.16"].helm_commit
    place = f"https://raw.githubusercontent.com/stanford-crfm/helm/{commit}/src/helm/benchmark"
    conf = f"{place}/presentation/run_entries_mmlu.conf"
    assert asked == [conf, conf, f"{place}/static/schema_mmlu.yaml"]


def test_a_file_that_is_gone_is_not_retried(theirs, monkeypatch):
    monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(404, request=httpx.Request("GET", url)))
    error = run("mmlu").exception
    assert isinstance(error, ConfigurationError)
    assert "404" in str(error)
    assert "--from DIR" in str(error)


def test_order_and_change_are_told_apart():
    a, b, c = (RunEntry(description=name, priority=1) for name in "abc")
    assert list(compare([a, b], [a, b])) == []
    assert list(compare([b, a, c], [a, b, c])) == ["order    b: entry 2 upstream, 1 here"]
    grouped = RunEntry(description="b", priority=1, groups=("g",))
    assert list(compare([a, grouped], [a, b])) == ["changed  b: groups none upstream, g here"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("entries: [", "x.conf: not a HOCON file"),
        ("runs: []", "x.conf: entries: must be a list of run entries"),
        ("entries: [3]", "x.conf: entry 1: must be {description"),
        ('entries: [{description: "a", priority: 1}, {priority: 1}]', "x.conf: entry 2: description: must be"),
        ('entries: [{description: "a", priority: 9}]', "x.conf: entry 1: priority: 9: must be a whole number"),
        ('entries: [{description: "a", prio: 1}]', "x.conf: entry 1: prio: unknown field, allowed: description"),
        ('entries: [{description: "a", groups: "g"}]', "x.conf: entry 1: groups: 'g': must be a list"),
    ],
)
def test_a_conf_that_is_wrong_is_named(text, says):
    with pytest.raises(ConfigurationError) as caught:
        read_conf(text.encode(), "x.conf")
    assert str(caught.value).startswith(says)
