"""``python -m benchmarks``: measure, and write docs/benchmarks/.

Needs a Python that has HELM: HELM_REPRO_TEST_PYTHON, or it is made from the smoke
leaderboard's lock, as ``helm-repro run smoke --engine local`` does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

from benchmarks.comparisons import ALL, CORES
from benchmarks.measure import ROOT, Place, serving
from benchmarks.report import write_report
from helm_repro.catalogue import Catalogue, load_catalogue
from helm_repro.catalogue.render import write_board
from helm_repro.engines.local import LocalEngine, environment_python


def main() -> None:
    """Run the comparisons that were asked for and keep the other figures of the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ALL, help="a comparison (repeatable; default: all)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument("--note", help="what the reader should know of these rounds, such as other load")
    given = parser.parse_args()

    catalogue = load_catalogue(ROOT)
    smoke = catalogue.leaderboards["smoke"]
    python = Path(os.environ.get("HELM_REPRO_TEST_PYTHON") or _python_of(catalogue, "smoke"))
    given.output.mkdir(parents=True, exist_ok=True)
    file = given.output / "benchmarks.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    results |= {
        "machine": f"{CORES} cores of {_processor()}",
        "helm": catalogue.environments[smoke.environment].helm_version,
        "repeats": given.repeats,
        **({"note": given.note} if given.note else {}),
    }
    with tempfile.TemporaryDirectory(prefix="helm-repro-bench-") as directory, serving() as server:
        board = write_board(catalogue, smoke, Path(directory, "board"))
        place = Place(Path(directory, "place"), server, python, board)
        for name in given.only or ALL:
            if name == "runners":
                place.python = _python_of(catalogue, "medhelm-public")
            results[name] = ALL[name](place, given.repeats)
            place.python = python
            file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            write_report(results, given.output)
    print(given.output / "benchmarks.md")


def _python_of(catalogue: Catalogue, identifier: str) -> Path:
    LocalEngine().prepare(catalogue, catalogue.leaderboards[identifier])
    return environment_python(catalogue, catalogue.leaderboards[identifier])


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
