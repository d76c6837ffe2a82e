"""Runs smoke with a small random model on a GPU and on the CPU, and compares every answer.

    python benchmarks/gpu_check.py --board BOARD [--instances 10] [--dtype float32] [--work DIR]

BOARD is a rendered leaderboard (``helm_repro.catalogue.render.write_board``, or
/opt/helm-repro/board in an image). Needs a Python with HELM's dependencies, PyTorch for CUDA
and transformers: that of the gpu flavour. Prints one JSON object; exit status 0 if the GPU was
used, every run is complete on both, and the answers are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MAKE_MODEL = ROOT / "tests" / "support" / "tiny_model.py"


def evaluate(device: str, model: Path, data: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Run the entrypoint as in a container and collect what came of it."""
    variables = {
        "HELM_REPRO_BOARD": str(given.board),
        "DATA_DIR": str(data),
        "LOCAL_MODEL_PATH": str(model),
        "MODEL_DEVICE": device,
        "MODEL_DTYPE": given.dtype,
        "MAX_EVAL_INSTANCES": str(given.instances),
        "NUM_THREADS": "1",
        "OFFLINE": "1",
        "PREFLIGHT": "warn",
    }
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "entrypoint.py"), "run", "summarize"],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    suite = data / "benchmark_output" / "runs" / "my-suite"
    answers: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(suite.glob("*/scenario_state.json")):
        answers[path.parent.name] = [
            {"text": completion["text"], "logprob": completion["logprob"]}
            for state in json.loads(path.read_text(encoding="utf-8"))["request_states"]
            for completion in state["result"]["completions"]
        ]
    return {
        "exit_code": done.returncode,
        "seconds": round(time.monotonic() - started, 1),
        "device_line": next((line for line in done.stdout.splitlines() if "Hugging Face device set to" in line), ""),
        "answers": answers,
        "log": (done.stdout + done.stderr)[-3000:] if done.returncode else "",
        "stats": {path.parent.name: _scores(path) for path in sorted(suite.glob("*/stats.json"))},
    }


def compare(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Answers that differ, and by how much log probabilities do."""
    total = same = 0
    worst = 0.0
    examples = []
    for run, answers in first["answers"].items():
        for number, (a, b) in enumerate(zip(answers, second["answers"].get(run, []), strict=False)):
            total += 1
            if a["text"] == b["text"]:
                same += 1
                worst = max(worst, abs(a["logprob"] - b["logprob"]))
            else:
                examples.append({"run": run, "request": number, "first": a["text"][:60], "second": b["text"][:60]})
    return {
        "runs": [len(first["answers"]), len(second["answers"])],
        "answers": total,
        "same_text": same,
        "largest_logprob_difference_of_same_texts": worst,
        "different": examples[:5],
        "same_scores": first["stats"] == second["stats"],
    }


def _scores(path: Path) -> dict[str, float]:
    """Means of what is scored, without what is timed."""
    scores = {}
    for stat in json.loads(path.read_text(encoding="utf-8")):
        name = stat["name"]
        if not any(word in name["name"] for word in ("runtime", "logprob", "perplexity", "bits_per_byte")):
            perturbation = name.get("perturbation", {}).get("name")
            scores[f"{name['name']}/{name.get('split')}/{perturbation}"] = stat.get("mean", 0.0)
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", type=Path, required=True)
    parser.add_argument("--instances", type=int, default=10)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--chat", action="store_true", help="give the model a chat template")
    parser.add_argument("--devices", nargs=2, default=["cuda", "cpu"])
    parser.add_argument("--work", type=Path, help="keep everything here")
    given = parser.parse_args()

    import torch
    import transformers

    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        model = work / "tiny"
        subprocess.run(
            [sys.executable, str(MAKE_MODEL), str(model), *(["--chat"] if given.chat else [])], check=True, timeout=300
        )
        results = [evaluate(device, model, work / f"{n}-{device}", given) for n, device in enumerate(given.devices)]
    comparison = compare(*results)
    complete = all(result["exit_code"] == 0 for result in results)
    used = all(device in result["device_line"] for device, result in zip(given.devices, results, strict=True))
    ok = complete and used and comparison["answers"] > 0 and comparison["same_text"] == comparison["answers"]
    report = {
        "ok": ok,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": sys.version.split()[0],
        "dtype": given.dtype,
        "instances": given.instances,
        **comparison,
        "devices": [
            {"device": device, **{key: result[key] for key in ("exit_code", "seconds", "device_line", "log")}}
            for device, result in zip(given.devices, results, strict=True)
        ],
    }
    print(json.dumps(report, indent=1))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
