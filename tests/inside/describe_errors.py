"""Run by HELM's Python: what a worker says of errors that HELM raises. Prints JSON, by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace

import datasets
from helm.benchmark.adaptation.request_state import RequestState
from helm.benchmark.executor import Executor
from helm.benchmark.scenarios.scenario import Input, Instance
from helm.common.cache import BlackHoleCacheConfig
from helm.common.request import Request, RequestResult
from helm.common.tokenization_request import TokenizationRequest
from helm.tokenizers.huggingface_tokenizer import HuggingFaceTokenizer

from helm_repro.inside.parallel.worker import describe_error

NAME = "org/name"
KEY = "planted-9f8e7d6c5b4a"


def tokenizer() -> None:
    request = TokenizationRequest("Hello", tokenizer=NAME)
    HuggingFaceTokenizer(BlackHoleCacheConfig(), NAME).tokenize(request)


def dataset() -> None:
    datasets.load_dataset(NAME)


def long_prompt() -> None:
    """HELM's own text, with a prompt longer than what is kept of a traceback, and a key across the cut of an error."""
    result = RequestResult(success=False, completions=[], cached=False, embedding=[], error="x" * 1975 + KEY)
    executor = SimpleNamespace(context=SimpleNamespace(make_request=lambda request: result))
    request = Request(model="m", model_deployment="m", prompt="word " * 4000)
    state = RequestState(Instance(Input("?"), []), None, None, 0, None, request, None, 1, False)
    Executor.process(executor, state)


def described(fail: Callable[[], None]) -> dict[str, str]:
    try:
        fail()
    except Exception as error:
        return describe_error(error, lambda text: text.replace(KEY, "[redacted]"))
    raise AssertionError("it did not fail")


if __name__ == "__main__":
    json.dump({fail.__name__: described(fail) for fail in (tokenizer, dataset, long_prompt)}, sys.stdout)
