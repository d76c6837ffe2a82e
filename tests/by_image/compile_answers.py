"""Runs in an image: what HELM's compilers make of small answers, as JSON; see image_compiler_annotator.py.

Arguments: the names of annotators' classes, each with an answer.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from types import SimpleNamespace


def main(answers: dict[str, str]) -> None:
    from helm.common.cache import BlackHoleCacheConfig
    from helm.common.object_spec import get_class_by_name

    made = {}
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as folder:
        for name, answer in answers.items():
            annotator = get_class_by_name(name)(BlackHoleCacheConfig(), folder)
            result = SimpleNamespace(completions=[SimpleNamespace(text=answer)])
            (annotation,) = annotator.annotate(SimpleNamespace(result=result))
            made[name] = {key: str(value) for key, value in annotation.items()}
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
