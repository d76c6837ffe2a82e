"""The report page in a real browser: it renders, sorts, fits a telephone, and is accessible."""

from __future__ import annotations

import csv
import importlib.resources
import io
import json
from pathlib import Path

import pytest

from tests.results.chromium import Browser, open_page
from tests.results.conftest import Verb
from tests.results.made_with_helm import RELEASE
from tests.results.mutate import drop_run, edit

pytestmark = [pytest.mark.helm, pytest.mark.browser]


@pytest.fixture
def page(verb: Verb, output: Path, published: Path, runs: Path) -> Path:
    """A report with every kind of section in it."""
    edit(
        runs / "simple_mcqa:model=sim_strong" / "run_spec.json",
        lambda spec: spec["adapter_spec"].update(instructions="<b>&"),
    )
    edit(runs / "simple_mcqa:model=sim_weak" / "instances.json", lambda items: items[0]["input"].update(text="?"))
    drop_run(published, "simple_mcqa:model=sim_middling")
    suite = output / "benchmark_output" / "runs" / "flipped"
    receipt = {
        "schema_version": 1,
        "leaderboard": "smoke",
        "helm_version": "0.5.16",
        "partial": ["MAX_EVAL_INSTANCES=60 is below the leaderboard's 1000"],
        "runs": [{"name": "simple_mcqa:model=sim_strong", "anomalies": {"empty": 3}, "requests": 60}],
    }
    (suite / "receipt.json").write_text(json.dumps(receipt))
    result = verb("report", "flipped", "--output", output, "--published", published, "--release", RELEASE)
    assert result.exit_code == 0, result.output
    return output / "reports" / "flipped" / "index.html"


def violations(browser: Browser) -> list[str]:
    source = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    browser.run(source)
    found = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {resultTypes: ['violations']}).then(result => done(result.violations));"
    )
    return [f"{item['id']}: {item['help']}: {[node['html'][:120] for node in item['nodes']]}" for item in found]


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False), (390, True)])
def test_page_is_accessible_and_loads_nothing(page: Path, width: int, dark: bool) -> None:
    with open_page(page, width=width, dark=dark) as browser:
        assert browser.console() == []
        assert browser.requested() == [page.absolute().as_uri()]
        assert violations(browser) == []
        across = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert across[0] <= across[1], "the page itself must not scroll sideways"
        heights = (
            "return [...document.querySelectorAll('{}')].map(e => e.getBoundingClientRect().height).filter(Boolean)"
        )
        assert len(browser.run(heights.format("svg.plot"))) == 1, "the drawing for this width"
        assert min(browser.run(heights.format("svg.plot text"))) >= 9, "letters, in CSS pixels"


def test_sorting_with_the_keyboard(page: Path) -> None:
    from selenium.webdriver import Keys

    column = "return [...document.querySelectorAll('table.sortable tbody tr')].map(row => row.cells[{}].dataset.sort)"
    with open_page(page) as browser:
        button = next(
            item for item in browser.driver.find_elements("css selector", "th button") if item.text.startswith("Ours")
        )
        button.send_keys(Keys.ENTER)
        ascending = [float(value) for value in browser.run(column.format(3)) if value]
        assert ascending == sorted(ascending)
        button.send_keys(Keys.SPACE)
        descending = [float(value) for value in browser.run(column.format(3)) if value]
        assert descending == sorted(descending, reverse=True)
        assert browser.run("return document.querySelectorAll('th[aria-sort]').length") == 1
        difference = next(
            item
            for item in browser.driver.find_elements("css selector", "th button")
            if item.text.startswith("Difference")
        )
        for _ in range(2):
            difference.click()
            assert browser.run(column.format(5))[-1] == "", "a cell without a number stays last"
        assert browser.console() == []


def test_contents(page: Path) -> None:
    with open_page(page) as browser:
        text = browser.run("return document.body.innerText")
        headings = browser.run("return [...document.querySelectorAll('h2')].map(e => e.innerText)")
        title = browser.run("return document.querySelector('svg.plot desc').textContent")
    assert headings == [
        *("Scores", "Verdicts", "Reasons", "Place among published models", "Failures and anomalies", "Receipt")
    ]
    for expected in (
        "Partial suite. MAX_EVAL_INSTANCES=60",
        "recipe differs",
        "not comparable",
        "adapter_spec.instructions",
        '"<b>&"',
        "3 of 60 answers in 1 run are empty",
        "sim/strong: 1 of 4",
    ):
        assert expected in text
    assert "sim/strong Multiple choice" in title


def test_markdown_and_csv(page: Path) -> None:
    markdown = page.with_name("report.md").read_text()
    assert "> **Partial suite.**" in markdown
    assert "| sim/strong | Multiple choice | ◆ recipe differs |" in markdown
    rows = list(csv.DictReader(io.StringIO(page.with_name("report.csv").read_text())))
    assert {row["verdict"] for row in rows} >= {"recipe differs", "not comparable"}
    assert all(0 <= float(row["ours"]) <= 1 for row in rows)


def test_suite_alone(verb: Verb, output: Path, tmp_path: Path) -> None:
    result = verb("report", "same", "--output", output, "--alone", "--to", tmp_path / "alone")
    assert result.exit_code == 0
    with open_page(tmp_path / "alone" / "index.html") as browser:
        assert browser.console() == []
        assert violations(browser) == []
