"""``python -m benchmarks.cold_start``: building an image, and a container up to its first request, against a plain one.

The plain image (plain.Dockerfile) is ``pip install`` of the same HELM. Both run the same
workload on the same volume, in turns; figures go to docs/benchmarks/cold_start.json and
docs/images.md. The server that answers is this machine's, so containers use its network.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import MODEL, ROOT, UNCACHED, Measured, Place, serving
from benchmarks.workloads import exams
from helm_repro.catalogue import Catalogue, load_catalogue
from helm_repro.catalogue.render import write_board
from helm_repro.images.bake import build
from helm_repro.images.base_image import BASE_IMAGE_TAG
from helm_repro.images.definition import BOARDS, Options, base_image, definition

BOARD = "smoke"
PLAIN = "helm-repro-plain:0.5.16"
OURS = f"helm-repro:{BOARD}"
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
    return _seconds([*command, str(ROOT)])


def build_ours(catalogue: Catalogue, options: Options) -> dict[str, float]:
    """Build the smoke image from nothing, then with another conf; returns seconds of each."""
    board = catalogue.leaderboards[BOARD]
    folder = write_board(catalogue, board, ROOT / BOARDS / board.tag)
    bake = ["docker", "buildx", "bake", "--file", "-", "--provenance=false"]
    wanted = json.dumps(definition(catalogue, [BOARD], options))
    # uv's cache outlives --no-cache: https://docs.docker.com/reference/cli/docker/buildx/prune/
    prune = ["docker", "buildx", "prune", "--force", "--filter", "type=exec.cachemount"]
    subprocess.run(prune, check=True, stdout=subprocess.DEVNULL)
    cold = _seconds([*bake, "--no-cache"], wanted)
    with (folder / board.conf).open("a", encoding="utf-8") as conf:
        conf.write("\n")
    return {"cold": cold, "another conf": _seconds(bake, wanted)}


def _seconds(command: Sequence[str], given: str = "") -> float:
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, input=given, text=True, check=True)
    return round(time.monotonic() - started, 1)


def main() -> None:
    """Build both, let them take turns, write the figures."""
    catalogue = load_catalogue(ROOT)
    options = Options.from_environment()
    pull = ["docker", "pull", "--quiet", base_image(catalogue.environment_of(catalogue.leaderboards[BOARD]), options)]
    if options.base_image is None and subprocess.run(pull).returncode:
        options = dataclasses.replace(options, base_image=BASE_IMAGE_TAG)
    seconds = {"plain": {"cold": build_plain(options)}, "ours": build_ours(catalogue, options)}
    build(catalogue, [BOARD])
    asked: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="helm-repro-bench-") as directory, serving() as server:
        place = Container(Path(directory, "place"), server, Path(), Path())
        place.tokenizer = UNCACHED
        server.control(latency=0)
        for _ in range(ROUNDS):
            for name, run in (("plain", place.helm_run), ("ours", lambda threads: place.ours(threads, "run"))):
                place.prepare(exams(1, 2))
                measured = run(4)
                print(name, measured, flush=True)
                for what in ("first_probe", "first_request"):
                    found = getattr(measured, what)
                    if found is not None:
                        asked.setdefault(name, {}).setdefault(what, []).append(round(found, 2))
    images = {name: _bytes(image) for name, image in (("plain", PLAIN), ("ours", OURS))}
    results = {"asked": asked, "bytes": images, "build_seconds": seconds}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)
    PAGE.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def table(results: Mapping[str, Any]) -> str:
    """Markdown: a row per figure, ours beside the plain image's."""
    asked, built, size = results["asked"], results["build_seconds"], results["bytes"]
    medians = {name: {what: statistics.median(all_) for what, all_ in found.items()} for name, found in asked.items()}
    plain, ours = medians["plain"]["first_request"], medians["ours"]
    rounds = (", ".join(f"{value:.1f}" for value in asked[name]["first_request"]) for name in ("plain", "ours"))
    return "\n".join(
        [
            "| | plain | ours | ours ÷ plain |",
            "|---|---|---|---|",
            _row("the model is asked first (by our preflight) after, s", plain, ours["first_probe"], 1),
            _row("first request of the evaluation after, s", plain, ours["first_request"], 1),
            f"| the rounds of it | {' | '.join(rounds)} | |",
            _row("image, MB", size["plain"] / 1e6, size["ours"] / 1e6),
            _row("build from nothing, s", built["plain"]["cold"], built["ours"]["cold"]),
            _row("build again with another conf, s", built["plain"]["cold"], built["ours"]["another conf"]),
        ]
    )


def _row(what: str, plain: float, ours: float, digits: int = 0) -> str:
    return f"| {what} | {plain:.{digits}f} | {ours:.{digits}f} | {ours / plain:.2f} |"


def _bytes(image: str) -> int:
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
