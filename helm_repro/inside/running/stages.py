"""The three stages, each HELM's own console command with an argument list.

Flags are always HELM's full names: ``--schema`` alone, as its page has it, was only an
abbreviation and is ambiguous since 0.5.13.
"""

from __future__ import annotations

from pathlib import Path

from helm_repro.inside.inputs.settings import Settings

RUNNER = "helm_repro.inside.parallel.runner.ParallelRunner"
SUMMARIZER = "helm_repro.inside.parallel.summarizer.ParallelSummarizer"

# What each stage imports before its command starts.
PRELOAD = {
    "run": ("helm.benchmark.run",),
    "summarize": ("helm.benchmark.presentation.summarize",),
    "server": ("helm.benchmark.server",),
    "warm": ("helm.benchmark.run", "helm_repro.inside.data.download_log"),
}

# What HELM's basic metrics import (helm/benchmark/metrics/basic_metrics.py), in steps of at most a quarter of a
# second: what waits for a call that has ended waits for the step that is being imported.
NEEDED_LATER = (
    *("pyarrow", "pandas", "scipy.linalg", "scipy.special", "scipy.spatial", "scipy.optimize", "scipy.integrate"),
    *("scipy.interpolate", "scipy.ndimage", "scipy.stats", "sklearn.linear_model", "nltk", "aiohttp", "datasets"),
    "helm.benchmark.metrics.basic_metrics",
)


def run_command(settings: Settings, conf_path: Path) -> list[str]:
    """helm-run for the planned entries in ``conf_path``."""
    board = settings.board
    plugins = board.leaderboard.get("plugins") or []
    return [
        "helm-run",
        *("--conf-paths", str(conf_path)),
        *("--num-train-trials", str(settings.num_train_trials)),
        *("--max-eval-instances", str(settings.max_eval_instances)),
        *("--priority", str(settings.priority)),
        *("--suite", settings.suite),
        *("--models-to-run", *settings.models),
        *("--output-path", str(settings.output_path)),
        *("--local-path", str(settings.local_path)),
        *("--num-threads", str(settings.num_threads)),
        *("--runner-class-name", RUNNER),
        *((board.environment["plugins_flag"], *plugins) if plugins else ()),
        "--skip-completed-runs",
    ]


def summarize_command(settings: Settings) -> list[str]:
    """helm-summarize for the suite."""
    return [
        "helm-summarize",
        *("--suite", settings.suite),
        *(settings.board.environment["schema_flag"], str(settings.schema_path)),
        *("--output-path", str(settings.output_path)),
        *("--local-path", str(settings.local_path)),
        *("--summarizer-class-name", SUMMARIZER),
    ]


def server_command(settings: Settings) -> list[str]:
    """helm-server for the suite."""
    return [
        "helm-server",
        *("--suite", settings.suite),
        *("--port", str(settings.port)),
        *("--output-path", str(settings.output_path)),
        *("--cache-output-path", str(settings.local_path / "cache" / "output")),
        *("--project", settings.board.id),
    ]
