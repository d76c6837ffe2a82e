"""MedHELM: an answer that no judge could be asked about fails its run instead of scoring 1.

``LLMAsJuryAnnotator.annotate`` (helm/benchmark/annotation/model_as_judge.py, 0.5.12 to 0.5.16)
only logs a judge that cannot be reached, and ``LLMJuryMetric`` (metrics/llm_jury_metrics.py)
then writes its default, the lowest grade: a run without a single judgement looks like a bad
model. Judges that answer, but not in the form that was asked for, are left to HELM, as in
the published scores.
"""

from __future__ import annotations

import threading
from typing import Any

from helm.benchmark.adaptation.request_state import RequestState
from helm.benchmark.annotation.model_as_judge import LLMAsJuryAnnotator
from helm.common.request import Request, RequestResult

_init = LLMAsJuryAnnotator.__init__
_annotate = LLMAsJuryAnnotator.annotate
# Answers are judged in several threads at once.
_this_answer = threading.local()


class JudgesUnreachableError(Exception):
    """No judge could be asked."""


class _Watched:
    """HELM's client, noting the requests that fail."""

    def __init__(self, client: Any):
        self._client = client

    def make_request(self, request: Request) -> RequestResult:
        try:
            result = self._client.make_request(request)
        except Exception as error:
            _this_answer.errors.append(f"{request.model_deployment}: {type(error).__name__}: {error}")
            raise
        if not result.success:
            _this_answer.errors.append(f"{request.model_deployment}: {result.error}")
        return result


def __init__(self: LLMAsJuryAnnotator, name: str, auto_client: Any, *arguments: Any, **named: Any) -> None:
    """HELM's own, with the client watched."""
    _init(self, name, _Watched(auto_client), *arguments, **named)


def annotate(self: LLMAsJuryAnnotator, request_state: RequestState) -> dict[str, Any]:
    """HELM's own.

    Raises:
        JudgesUnreachableError: every judge's request failed.
    """
    _this_answer.errors = []
    annotations: dict[str, Any] = _annotate(self, request_state)
    errors = _this_answer.errors
    if errors and len(errors) == len(self._annotator_models):
        raise JudgesUnreachableError(f"no judge could be asked: {'; '.join(errors)}"[:1000])
    return annotations


LLMAsJuryAnnotator.__init__ = __init__
LLMAsJuryAnnotator.annotate = annotate
