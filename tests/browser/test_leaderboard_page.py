"""The first page a newcomer opens is a filled leaderboard table, in a real browser."""

from __future__ import annotations

import contextlib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.conftest import ROOT, Entrypoint, entrypoint_environment

pytestmark = [pytest.mark.helm, pytest.mark.browser]
_COLUMNS = ("Patterns", "Substitution", "Induction", "Rules in English", "Brackets", "Multiple choice")


@contextlib.contextmanager
def served(python: Path, board: Path, data: Path, port: int) -> Iterator[str]:
    environment = entrypoint_environment(board, data, {"PORT": str(port), "SERVER_HOST": "127.0.0.1"})
    command = [str(python), str(ROOT / "entrypoint.py"), "server"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/config.js", timeout=5):
                    break
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=15)


def leaderboard_rows(browser: webdriver.Chrome, address: str) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the table on the leaderboard page."""
    browser.get(f"{address}/#/leaderboard")
    WebDriverWait(browser, 30).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, "table tbody tr td"))
    headers = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "table thead th")]
    rows = browser.find_elements(By.CSS_SELECTOR, "table tbody tr")
    return headers, [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "td")] for row in rows]


def test_the_leaderboard_is_filled(
    helm_python: Path, smoke_board: Path, tmp_path: Path, helm_entrypoint: Entrypoint, chromium: webdriver.Chrome
) -> None:
    done = helm_entrypoint("run", "summarize", MODELS_TO_RUN="simple/model1", MAX_EVAL_INSTANCES="4")
    assert done.returncode == 0, done.stderr
    with served(helm_python, smoke_board, tmp_path / "data", 18241) as address:
        headers, rows = leaderboard_rows(chromium, address)
    for column in _COLUMNS:
        assert any(header.startswith(column) for header in headers), headers
    assert len(rows) == 1
    assert all(cell.strip() for cell in rows[0]), rows


def test_the_leaderboard_is_filled_where_runs_failed(
    helm_python: Path, smoke_board: Path, tmp_path: Path, helm_entrypoint: Entrypoint, chromium: webdriver.Chrome
) -> None:
    conf = tmp_path / "some.conf"
    conf.write_text(
        'entries: [{description: "simple_mcqa:model=text", priority: 1}\n'
        '{description: "dyck_language:model=text,num_parenthesis_pairs=9", priority: 1}]\n'
    )
    done = helm_entrypoint("run", "summarize", MODELS_TO_RUN="simple/model1", RUN_ENTRIES_CONF_PATH=str(conf))
    assert done.returncode == 3, done.stderr
    with served(helm_python, smoke_board, tmp_path / "data", 18242) as address:
        headers, rows = leaderboard_rows(chromium, address)
    assert any(header.startswith("Multiple choice") for header in headers), headers
    assert len(rows) == 1
    assert any(cell.strip() not in ("", "-") for cell in rows[0][1:]), rows
