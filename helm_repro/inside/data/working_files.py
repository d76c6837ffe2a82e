"""What HELM looks for below the directory it was started in, put there. Runs with HELM imported.

Paths inside HELM's repository, as if that were the directory (GrammarScenario,
helm/benchmark/scenarios/grammar_scenario.py); its wheel has the file. And LilyPond, as if
its archive had been unpacked there (helm/benchmark/annotation/image2struct/lilypond_compiler_annotator.py).
Where something cannot be put, HELM or preflight says that it is not there, before anything is paid for.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.resources
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from helm_repro.inside.system.files import replacing

_PACKAGE = "src/helm/"
_LILYPOND_ANNOTATOR = "helm.benchmark.annotation.image2struct.lilypond_compiler_annotator.LilypondCompilerAnnotator"
_LILYPOND_VERSION = "2.24.3"


def provide(run_specs: Iterable[Mapping[str, Any]], directory: Path) -> None:
    """Put what these run specs need and ``directory`` has not; what is there stays."""
    run_specs = list(run_specs)
    annotators = {annotator["class_name"] for spec in run_specs for annotator in spec.get("annotators") or ()}
    if _LILYPOND_ANNOTATOR in annotators:
        _link_lilypond(directory)
    arguments = [value for spec in run_specs for value in (spec["scenario_spec"].get("args") or {}).values()]
    for name in {value for value in arguments if isinstance(value, str) and value.startswith(_PACKAGE)}:
        target, packaged = directory / name, importlib.resources.files("helm") / name.removeprefix(_PACKAGE)
        with contextlib.suppress(OSError):
            if packaged.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as temporary:
                    temporary.write_bytes(packaged.read_bytes())


def _link_lilypond(directory: Path) -> None:
    link = directory / f"lilypond-{_LILYPOND_VERSION}"
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError):
        package = importlib.metadata.distribution("lilypond")
        # A link of an earlier start leads nowhere if HELM's packages lay elsewhere then.
        if package.version == _LILYPOND_VERSION and not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(Path(str(package.locate_file("lilypond-binaries"))))
