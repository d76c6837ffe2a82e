"""Reading published results: addresses, retries, cache, and files that are not whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue
from helm_repro.errors import ConfigurationError
from helm_repro.results.cache import Cache
from helm_repro.results.http_store import ATTEMPTS, HttpStore
from helm_repro.results.store import FolderStore, NotPublished, PublishedError, folder_of, get_json, published_base
from tests.results.file_server import FileServer


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileServer]:
    root = tmp_path / "files"
    run = root / "runs" / "v1" / "mmlu:subject=anatomy,model=a_b"
    run.mkdir(parents=True)
    (run / "stats.json").write_text(json.dumps([{"name": "x" * 3000}]))
    with FileServer(root) as server:
        yield server


PATH = "runs/v1/mmlu:subject=anatomy,model=a_b/stats.json"


def store(files: FileServer, cache: Path, fresh_seconds: float = 0) -> HttpStore:
    return HttpStore(files.url, Cache(cache), fresh_seconds=fresh_seconds)


def test_reads_and_quotes_names(files: FileServer, own_cache: Path) -> None:
    assert get_json(store(files, own_cache), PATH)[0]["name"] == "x" * 3000


def test_second_read_is_conditional_and_costs_no_body(files: FileServer, own_cache: Path) -> None:
    first = store(files, own_cache).get(PATH)
    assert store(files, own_cache).get(PATH) == first
    assert [(conditional, status) for _, conditional, status in files.requests] == [(False, 200), (True, 304)]


def test_fresh_copy_is_not_asked_for(files: FileServer, own_cache: Path) -> None:
    for _ in range(3):
        store(files, own_cache, fresh_seconds=3600).get(PATH)
    assert len(files.requests) == 1


def test_changed_file_is_read_anew(files: FileServer, own_cache: Path) -> None:
    store(files, own_cache).get(PATH)
    (files.root / PATH).write_text("[2]")
    assert get_json(store(files, own_cache), PATH) == [2]


def test_damaged_copy_is_read_anew(files: FileServer, own_cache: Path) -> None:
    first = store(files, own_cache).get(PATH)
    (found,) = (path for path in (own_cache / "objects").rglob("*") if path.is_file())
    found.write_bytes(first[:100])
    assert store(files, own_cache, fresh_seconds=3600).get(PATH) == first


def test_download_that_breaks_off_is_tried_again(files: FileServer, own_cache: Path) -> None:
    files.cut["stats.json"] = 2
    assert get_json(store(files, own_cache), PATH)
    assert len(files.requests) == 3


def test_download_that_always_breaks_off_is_an_error_and_leaves_nothing(files: FileServer, own_cache: Path) -> None:
    files.cut["stats.json"] = 99
    with pytest.raises(PublishedError, match=r"stats\.json"):
        store(files, own_cache).get(PATH)
    assert len(files.requests) == ATTEMPTS
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("status", [404, 403])
def test_absent_is_not_published_and_not_retried(files: FileServer, own_cache: Path, status: int) -> None:
    files.status["stats.json"] = status
    with pytest.raises(NotPublished, match=f"HTTP {status}"):
        store(files, own_cache).get(PATH)
    assert len(files.requests) == 1


def test_server_error_is_retried_then_named(files: FileServer, own_cache: Path) -> None:
    files.status["stats.json"] = 503
    with pytest.raises(PublishedError, match="HTTP 503") as caught:
        store(files, own_cache).get(PATH)
    assert not isinstance(caught.value, NotPublished)
    assert len(files.requests) == ATTEMPTS


def test_without_network_the_copy_is_used_and_said(files: FileServer, own_cache: Path) -> None:
    first = store(files, own_cache).get(PATH)
    files.status["stats.json"] = 0
    told: list[str] = []
    away = HttpStore("http://127.0.0.1:9", Cache(own_cache), fresh_seconds=0, on_stale=told.append)
    with pytest.raises(PublishedError):
        away.get(PATH)
    known = Cache(own_cache)
    known.store(away.where(PATH), first, None)
    assert away.get(PATH) == first
    assert "using the copy of" in told[0]


def test_whole_download_of_a_cut_document_is_an_error(files: FileServer, own_cache: Path) -> None:
    (files.root / PATH).write_text('[{"name": ')
    with pytest.raises(PublishedError, match="not a whole JSON document"):
        get_json(store(files, own_cache), PATH)


def test_folder(files: FileServer) -> None:
    folder = FolderStore(files.root)
    assert get_json(folder, PATH)
    with pytest.raises(NotPublished):
        folder.get("runs/v2/summary.json")


@pytest.mark.parametrize(
    ("identifier", "base", "expected"),
    [
        ("lite", None, "https://storage.googleapis.com/crfm-helm-public/lite/benchmark_output"),
        ("lite", "https://mirror.example/helm/", "https://mirror.example/helm/lite/benchmark_output"),
        ("lite", "file:///srv/helm", "file:///srv/helm/lite/benchmark_output"),
        ("lite", "/srv/benchmark_output", "/srv/benchmark_output"),
        ("smoke", "/srv/helm", "/srv/helm/smoke/benchmark_output"),
    ],
)
def test_addresses(catalogue: Catalogue, identifier: str, base: str | None, expected: str) -> None:
    assert published_base(catalogue.leaderboards[identifier], base) == expected


def test_every_published_board_has_an_address(catalogue: Catalogue) -> None:
    for board in catalogue.leaderboards.values():
        if board.published.storage:
            assert published_base(board).startswith("https://")


@pytest.mark.parametrize(
    ("identifier", "base", "message"),
    [("smoke", None, "published no results"), ("lite", "ftp://x", "--published ftp://x: must be")],
)
def test_bad_addresses(catalogue: Catalogue, identifier: str, base: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        published_base(catalogue.leaderboards[identifier], base)


def test_folder_of_an_address() -> None:
    assert folder_of("file:///srv/a%20b") == Path("/srv/a b")
    assert folder_of("rel/ative") == Path("rel/ative")
    assert folder_of("https://x.example") is None
