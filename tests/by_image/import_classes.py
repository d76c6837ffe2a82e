"""Runs in an image: import every class that run specs name, make every metric, and print what cannot be, as JSON.

Arguments: names of scenarios' and annotators' classes; the metrics' specs; run-spec functions that cannot be
called without a network, of which the classes in their source are imported. Some metrics import what they need
only when they are made, so one of each class is made as HELM makes it.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from tests.support import spacy_stand_in

# The end of a name may be computed.
_CLASS = re.compile(r"(helm\.benchmark\.[a-z0-9_.]+)\.([A-Z]\w+)([\"'{])")
# They download data or a model when they are made.
_NOT_MADE = {
    "helm.benchmark.metrics.image_generation.watermark_metrics.WatermarkMetric",
    "helm.benchmark.metrics.melt_toxicity_metric.VietnameseToxicityMetric",
    "helm.benchmark.metrics.unitxt_metrics.UnitxtMetric",
}


def main(classes: list[str], metrics: list[dict], functions: list[str]) -> None:
    from helm.benchmark.metrics.metric import MetricSpec, create_metric
    from helm.benchmark.run_spec import get_run_spec_function
    from helm.common.object_spec import get_class_by_name

    problems: dict[str, str] = {}

    @contextlib.contextmanager
    def noted(name: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            traceback.print_exc()
            problems[name] = f"{type(error).__name__}: {error}"

    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as packages:
        spacy_stand_in.install(Path(packages))
        sys.path.append(packages)
        for function in functions:
            for module, name, end in _CLASS.findall(inspect.getsource(get_run_spec_function(function))):
                with noted(f"{module}.{name}"):
                    importlib.import_module(module) if end == "{" else get_class_by_name(f"{module}.{name}")
        for name in {*classes, *(spec["class_name"] for spec in metrics)}:
            with noted(name):
                get_class_by_name(name)
        for name, spec in {spec["class_name"]: spec for spec in metrics}.items():
            if name in _NOT_MADE:
                continue
            with noted(name):
                create_metric(MetricSpec(**spec))
    json.dump(problems, sys.stdout)


if __name__ == "__main__":
    main(*map(json.loads, sys.argv[1:]))
