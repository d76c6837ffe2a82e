"""``python -m benchmarks.images [LEADERBOARD...]``: build images, measure them, plan inside them.

Every image plans its own leaderboard without a network. Figures are kept per leaderboard in
docs/benchmarks/images.json, so that environments can be measured one after the other where
the disk does not hold all of them; docs/images.md gets the table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import docker

from benchmarks.measure import ROOT
from helm_repro.catalogue import Catalogue, load_catalogue
from helm_repro.images.bake import build

MODEL = "openai/gpt-4o-2024-11-20"
# Image generation: HELM constructs no run of HEIM for a model that only writes.
MODELS = {"heim": "openai/dall-e-2"}
RESULTS = ROOT / "docs" / "benchmarks" / "images.json"
PAGE = ROOT / "docs" / "images.md"
# Instructions that change an image's configuration only: https://docs.docker.com/reference/dockerfile/
_WITHOUT_LAYER = ("ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "USER", "VOLUME", "STOPSIGNAL")
BEGIN, END = "<!-- begin images -->", "<!-- end images -->"


def measure(client: docker.DockerClient, catalogue: Catalogue, identifier: str) -> dict[str, Any]:
    """Build one image and look at it.

    Returns:
        ``environment``, ``seconds`` (of the build), ``bytes``, ``layers`` (diff id -> bytes, in order)
        and ``plan`` (numbers of run specs, of unavailable ones and of entries not constructible).
    """
    started = time.monotonic()
    (name,) = build(catalogue, [identifier])
    seconds = time.monotonic() - started
    image = client.images.get(name)
    sizes = [step["Size"] for step in reversed(image.history()) if not step["CreatedBy"].startswith(_WITHOUT_LAYER)]
    layers = dict(zip(reversed(image.attrs["RootFS"]["Layers"]), reversed(sizes), strict=True))
    return {
        "environment": catalogue.leaderboard(identifier).environment,
        "seconds": round(seconds, 1),
        "bytes": image.attrs["Size"],
        "layers": layers,
        "plan": plan(client, name, MODELS.get(identifier, MODEL)),
    }


def plan(client: docker.DockerClient, image: str, model: str) -> dict[str, int]:
    """Count what the image's own ``plan --json`` gives without a network."""
    container = client.containers.run(
        image,
        ["plan", "--json"],
        environment={"MODELS_TO_RUN": model, "MODEL_GROUPS": "all"},
        network_mode="none",
        detach=True,
    )
    try:
        # Not 0 where nothing can be constructed without a network; that is a count too.
        container.wait()
        found = json.loads(container.logs(stderr=False))
    finally:
        container.remove(force=True)
    return {
        "run_specs": len(found["run_specs"]),
        "unavailable": sum(1 for run_spec in found["run_specs"] if run_spec["unavailable"]),
        "failed": len(found["failed"]),
    }


def unique_bytes(results: Iterable[Mapping[str, Any]]) -> int:
    """Bytes of all layers, each counted once."""
    return sum({layer: size for result in results for layer, size in result["layers"].items()}.values())


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a row per leaderboard, environments together, and their totals."""
    lines = [
        "| leaderboard | environment | image, MB | own layer, kB | build, s "
        "| run specs | unavailable | not constructible |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for identifier, result in sorted(results.items(), key=lambda item: (item[1]["environment"], item[0])):
        own, counted = next(iter(result["layers"].values())), result["plan"]
        lines.append(
            f"| {identifier} | {result['environment']} | {result['bytes'] / 1e6:.0f} | {own / 1e3:.0f} "
            f"| {result['seconds']:.0f} | {counted['run_specs']} | {counted['unavailable']} | {counted['failed']} |"
        )
    largest = {result["environment"]: result for result in results.values()}
    unique, environments = unique_bytes(results.values()), sum(result["bytes"] for result in largest.values())
    lines += [
        "",
        f"All {len(results)} images together: {unique / 1e9:.1f} GB, each layer counted once. "
        f"The {len(largest)} environments alone, without what they share: {environments / 1e9:.1f} GB.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure the given leaderboards, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("leaderboards", nargs="*")
    parser.add_argument("--remove", action="store_true", help="remove each image once it is measured")
    given = parser.parse_args()
    catalogue, client = load_catalogue(ROOT), docker.from_env()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for identifier in given.leaderboards or sorted(catalogue.leaderboards):
        results[identifier] = measure(client, catalogue, identifier)
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=False) + "\n", encoding="utf-8")
        write_page(PAGE, results)
        print(identifier, results[identifier]["bytes"], results[identifier]["seconds"], results[identifier]["plan"])
        if given.remove:
            client.images.remove(f"helm-repro:{identifier}")


def write_page(page: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace the table between the marks."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    page.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
