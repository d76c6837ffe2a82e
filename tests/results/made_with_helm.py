"""Makes a release and suites with HELM itself, from the smoke leaderboard and simulated models.

``published/benchmark_output`` holds the release ``v1.0.0`` of four models; ``ours/benchmark_output``
the suites ``same`` (three of them again) and ``flipped`` (with 3 % of answers the other way).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.results.simulated import answer
from tests.support.helm_config import write_model
from tests.support.openai_server import OpenAIServer

RELEASE = "v1.0.0"
MODELS = ("sim/strong", "sim/middling", "sim/weak")
LIMIT = 60
ENTRIES = (
    "simple_mcqa:model=text",
    "simple_classification:model=text",
    # A second run of the same scenario, so that one has to be pooled.
    "simple_classification:model=text,max_train_instances=1",
)
_SCRIPT = Path(__file__).with_name("helm_commands.py")


def make(
    python: Path,
    schema: Path,
    directory: Path,
    entries: Sequence[str] = ENTRIES,
    limit: int = LIMIT,
    others: Sequence[str] = ("sim/poor",),
) -> Path:
    """Make everything below ``directory`` and return it; ``others`` are published beside ``MODELS``."""
    conf = directory / "entries.conf"
    conf.write_text(json.dumps({"entries": [{"description": entry, "priority": 1} for entry in entries]}))
    with OpenAIServer(answer=answer) as server:
        suites: dict[str, tuple[str, Mapping[str, str]]] = {
            RELEASE: ("published", {name: name for name in (*MODELS, *others)}),
            "same": ("ours", {name: name for name in MODELS}),
            "flipped": ("ours", {name: name.replace("sim/", "sim/flipped-") for name in MODELS}),
        }
        commands: list[list[str]] = []
        for suite, (side, served) in suites.items():
            local = directory / f"prod_env-{suite}"
            for name, serves in served.items():
                write_model(local, server.base_url, name=name, served_name=serves.removeprefix("sim/"))
            places = ["--output-path", str(directory / side / "benchmark_output"), "--local-path", str(local)]
            commands.append(
                [
                    *("helm-run", "--suite", suite, *places, "--conf-paths", str(conf)),
                    *("--max-eval-instances", str(limit), "--num-threads", "8"),
                    *("--models-to-run", *served),
                ]
            )
            named = ["--release", suite, "--suites", suite] if suite == RELEASE else ["--suite", suite]
            commands.append(["helm-summarize", *named, *places, "--schema-path", str(schema), "--num-threads", "2"])
        path = directory / "commands.json"
        path.write_text(json.dumps(commands))
        with (directory / "helm.log").open("wb") as log:
            status = subprocess.run([str(python), str(_SCRIPT), str(path)], stdout=log, stderr=log).returncode
    if status != 0:
        raise RuntimeError(f"HELM ended with {status}: {(directory / 'helm.log').read_text()[-3000:]}")
    return directory
