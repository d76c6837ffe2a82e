"""``python -m benchmarks.cold_start``: a new container up to its first request, ours against a plain image.

The plain image (plain.Dockerfile) is ``pip install`` of the same HELM. Both run the same
workload on the same volume, in turns; figures go to docs/benchmarks/cold_start.json and
docs/images.md. The server that answers is this machine's, so containers use its network.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import MODEL, ROOT, UNCACHED, Measured, Place, serving
from benchmarks.workloads import exams
from helm_repro.catalogue import load_catalogue
from helm_repro.images.bake import build
from helm_repro.images.definition import Options

PLAIN = "helm-repro-plain:0.5.16"
OURS = "helm-repro:smoke"
ROUNDS = 5
RESULTS = ROOT / "docs" / "benchmarks" / "cold_start.json"
PAGE = ROOT / "docs" / "images.md"
BEGIN, END = "<!-- begin cold start -->", "<!-- end cold start -->"


class Container(Place):
    """Commands run in new containers with the directory as their volume."""

    def helm_run(self, threads: int, *words: str, **variables: str) -> Measured:
        """Plain helm-run in the plain image."""
        command = ["helm-run", "--conf-paths", "run_entries.conf", "--suite", "suite", "--priority", "2"]
        command += ["--max-eval-instances", str(self.instances), "--num-train-trials", "1"]
        return self._run([*self._docker({}), PLAIN, *command, "--models-to-run", MODEL, "-n", str(threads)], {})

    def ours(self, threads: int, *stages: str, **variables: str) -> Measured:
        """Our image's entrypoint."""
        given = {
            "MODELS_TO_RUN": MODEL,
            "RUN_ENTRIES_CONF_PATH": "/data/run_entries.conf",
            "MAX_EVAL_INSTANCES": str(self.instances),
            "NUM_THREADS": str(threads),
        }
        return self._run([*self._docker(given), OURS, *stages], {})

    def _docker(self, variables: Mapping[str, str]) -> list[str]:
        options = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        user = f"{os.getuid()}:{os.getgid()}"
        volume = f"{self.path}:/data"
        return ["docker", "run", "--rm", "--network", "host", "--user", user, "--volume", volume, *options]


def build_plain(options: Options) -> float:
    """Build the plain image from nothing; returns seconds."""
    command = ["docker", "buildx", "build", "--no-cache", "--load", "--tag", PLAIN]
    command += ["--file", str(ROOT / "benchmarks" / "plain.Dockerfile")]
    if options.base_image:
        command += ["--build-arg", f"BASE_IMAGE={options.base_image}"]
    if options.ca_file:
        command += ["--secret", f"id=ca,src={options.ca_file}"]
    if options.index_variable:
        command += ["--secret", f"id=index,env={options.index_variable}"]
    started = time.monotonic()
    subprocess.run([*command, str(ROOT)], check=True)
    return time.monotonic() - started


def main() -> None:
    """Build both, let them take turns, write the figures."""
    catalogue = load_catalogue(ROOT)
    seconds = build_plain(Options.from_environment())
    build(catalogue, ["smoke"])
    first: dict[str, list[float]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory(prefix="helm-repro-bench-") as directory, serving() as server:
        place = Container(Path(directory, "place"), server, Path(), Path())
        place.tokenizer = UNCACHED
        server.control(latency=0)
        for _ in range(ROUNDS):
            for name, run in (("plain", place.helm_run), ("ours", lambda threads: place.ours(threads, "run"))):
                place.prepare(exams(1, 2))
                measured = run(4)
                assert measured.first_request is not None
                first[name].append(round(measured.first_request, 2))
                print(name, measured, flush=True)
    images = {name: _bytes(image) for name, image in (("plain", PLAIN), ("ours", OURS))}
    results = {"first_request": first, "bytes": images, "plain_build_seconds": round(seconds, 1)}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)
    PAGE.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def table(results: Mapping[str, Any]) -> str:
    """Markdown: one row per image."""
    lines = ["| | first request after, s (median) | rounds | image, MB |", "|---|---|---|---|"]
    for name, seconds in results["first_request"].items():
        rounds = ", ".join(f"{value:.1f}" for value in seconds)
        lines.append(f"| {name} | {statistics.median(seconds):.1f} | {rounds} | {results['bytes'][name] / 1e6:.0f} |")
    return "\n".join([*lines, "", f"Building the plain image took {results['plain_build_seconds']:.0f} s."])


def _bytes(image: str) -> int:
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
