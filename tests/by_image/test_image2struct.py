"""Image2Struct's image compiles answers with HELM's own annotators, which score 0 what they cannot compile.

Its environment is built only with HELM_REPRO_TEST_ALL_ENVIRONMENTS=1.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helm_repro.images.bake import build
from tests.traps.conftest import ALL_ENVIRONMENTS

pytestmark = pytest.mark.skipif(not ALL_ENVIRONMENTS, reason="set HELM_REPRO_TEST_ALL_ENVIRONMENTS=1")

ANNOTATION = "helm.benchmark.annotation.image2struct"
LATEX = f"{ANNOTATION}.latex_compiler_annotator.LatexCompilerAnnotator"
LILYPOND = f"{ANNOTATION}.lilypond_compiler_annotator.LilypondCompilerAnnotator"
ANSWERS = {
    LATEX: r"\begin{tikzpicture}\draw (0,0) circle (1);\end{tikzpicture} $e^{i\pi} = -1$",
    LILYPOND: "\\version \"2.24.3\" { c' d' e' }",
}
SCRIPT = Path(__file__).with_name("compile_answers.py")
PREPARE = (
    "from pathlib import Path; from helm_repro.inside.data import working_files;"
    f'working_files.provide([{{"scenario_spec": {{}}, "annotators": [{{"class_name": "{LILYPOND}"}}]}}], Path.cwd())'
)


def test_answers_become_pictures(catalogue, client, containers):
    (image,) = build(catalogue, ["image2struct"])
    container = containers.start(
        image,
        "-c",
        f"cd /data && python -c '{PREPARE}' && python /compile_answers.py \"$ANSWERS\"",
        entrypoint="/bin/sh",
        environment={"ANSWERS": json.dumps(ANSWERS), "PYTHONPATH": "/opt/helm-repro"},
        network_mode="none",
        volumes={str(SCRIPT): {"bind": "/compile_answers.py", "mode": "ro"}},
    )
    assert container.wait(timeout=600)["StatusCode"] == 0, container.logs().decode()[-3000:]
    made = json.loads(container.logs(stderr=False))
    assert set(made) == set(ANSWERS)
    for annotation in made.values():
        assert "media_object" in annotation, annotation
