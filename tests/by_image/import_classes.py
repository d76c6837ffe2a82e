"""Runs in an image: import every class that run specs name, make every metric, and print what cannot be, as JSON.

Arguments: names of scenarios' and annotators' classes; the metrics' specs; run-spec functions that cannot be
called without a network, of which the classes in their source are imported. Some metrics import what they need
only when they are made, so they are made as HELM makes them.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from tests.support import spacy_stand_in

_CLASS = re.compile(r"helm\.benchmark\.[a-z0-9_.]+\.[A-Z]\w+")


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
        for name in functions:
            classes += _CLASS.findall(inspect.getsource(get_run_spec_function(name)))
        for name in classes:
            with noted(name):
                get_class_by_name(name)
        for spec in metrics:
            with noted(spec["class_name"]):
                create_metric(MetricSpec(**spec))
    json.dump(problems, sys.stdout)


if __name__ == "__main__":
    main(*map(json.loads, sys.argv[1:]))
