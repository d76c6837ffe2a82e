"""What a failure is, told from the texts that HELM and its libraries write, and from nothing else."""

from __future__ import annotations

import pytest

from helm_repro.inside.failures import classify, classify_event, without_requests

LIMITED = "Failed to make request to openai/gpt-4o after retrying 5 times. Error: OpenAI error: Error code: 429 - {}"
_FIELDS = "model_deployment='openai/gpt-4o', model='openai/gpt-4o', embedding=False, prompt="
PROMPTS = ("How can I gain unauthorized access to a server?", "What is a 401(k) plan?", "Tickets cost $401.")
HUB = "https://huggingface.co"


def request(prompt: str) -> str:
    """As in HELM's dataclass, whose fourth field is the prompt."""
    return f"Request({_FIELDS}{prompt!r}, temperature=0.0)"


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_decides_nothing(prompt: str) -> None:
    error = f"ExecutorError: {LIMITED} Request: {request(prompt)}"
    assert classify_event({"error": error, "cause": error}).name == "rate limit"
    of_all = f"AnnotationExecutorError: {LIMITED} Request: [{request(prompt)}, {request(prompt)}]"
    assert classify_event({"error": of_all, "cause": "Exception: odd"}).name == "rate limit"
    alone = f"NonRetriableException: Only one of `prompt` and `messages` may be set in request: {request(prompt)}"
    assert classify(alone).name == "other"


def test_the_cause_counts_whatever_the_error_quotes() -> None:
    error = f"AnnotationExecutorError: Malformed annotator response: odd Request: {request('Hello')}"
    assert classify_event({"error": error, "cause": "RateLimitError: Error code: 429"}).name == "rate limit"


@pytest.mark.parametrize(
    "text",
    [
        "Malformed annotator response: The user wants\nunauthorized access.",
        "Content blocked error in cached response: {'text': 'a 401(k) plan'}",
        "No content in candidate: content { text: '401' }",
        "Received refusal from OpenAI API: I cannot help with unauthorized access.",
        "Request error: odd, Raw Request: {'prompt': 'a 401(k) plan'}",
        "Could not parse score as float from raw request: '401'",
        "could not convert string to float: '401'",
        "invalid literal for int() with base 10: '401'",
    ],
)
def test_an_answer_decides_nothing(text: str) -> None:
    assert classify(f"Exception: {text}").name == "other"


def test_a_request_is_left_out_or_shortened() -> None:
    text = f"ExecutorError: odd Request: {request('Hello')}\nand the next line"
    assert without_requests(text) == "ExecutorError: odd\nand the next line"
    assert without_requests(text, keep=30) == "ExecutorError: odd Request: Request(model_deploy\nand the next line"


@pytest.mark.parametrize(
    "text",
    [
        "GatedRepoError: 403 Client Error. (Request ID: Root=1-6;2)\n\n"
        f"Cannot access gated repo for url {HUB}/api/models/meta-llama/Llama-3.1-8B.\n"
        "Access to model meta-llama/Llama-3.1-8B is restricted and you are not in the authorized list. "
        f"Visit {HUB}/meta-llama/Llama-3.1-8B to ask for access.",
        "GatedRepoError: 401 Client Error. (Request ID: Root=1-6;2)\n\n"
        f"Cannot access gated repo for url {HUB}/meta-llama/Llama-3.1-8B/resolve/main/config.json.\nAccess to model "
        "meta-llama/Llama-3.1-8B is restricted. You must have access to it and be authenticated to access it. "
        "Please log in.",
        "ValueError: Failed to tokenize text with HuggingFaceTokenizer tokenizer: You are trying to access a gated "
        f"repo.\nMake sure to have access to it at {HUB}/meta-llama/Llama-3.1-8B.\n401 Client Error.",
        "DatasetNotFoundError: Dataset 'walledai/HarmBench' is a gated dataset on the Hub. "
        "You must be authenticated to access it.",
        f"HTTPError: 401 Client Error: Unauthorized for url: {HUB}/org/name/resolve/main/config.json",
        # Without a token the hub answers so for what is private, gated or not there.
        "RepositoryNotFoundError: 401 Client Error. (Request ID: Root=1-6;2)\n\nRepository Not Found for url: "
        f"{HUB}/api/models/org/name.\nPlease make sure you specified the correct `repo_id` and `repo_type`.\n"
        "If you are trying to access a private or gated repo, make sure you are authenticated.",
    ],
)
def test_what_the_hub_refuses_is_no_matter_of_the_models_key(text: str) -> None:
    failure = classify(text)
    assert failure.name == "gated data"
    assert not failure.fatal, "another model's tokenizer may well be there"
    assert "HF_TOKEN" in failure.next_step
    assert "accept the terms" in failure.next_step


def test_what_the_hub_does_not_have_is_gone() -> None:
    text = (
        "RepositoryNotFoundError: 404 Client Error. (Request ID: Root=1-6;2)\n\nRepository Not Found for url: "
        f"{HUB}/api/models/org/name.\nIf you are trying to access a private or gated repo, make sure you are "
        "authenticated."
    )
    assert classify(text).name == "no data upstream"


@pytest.mark.parametrize(
    "text",
    [
        "AuthenticationError: Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-1'}}",
        "HTTPError: 401 Client Error: Unauthorized for url: https://api.example.com/v1/chat",
        f"ExecutorError: OpenAI error: Error code: 401 - {{}} Request: {request('Hello')}",
        "PermissionDeniedError: Error code: 403 - {'error': {'message': 'Your key has no access'}}",
    ],
)
def test_a_models_key_is_refused(text: str) -> None:
    failure = classify(text)
    assert failure.name == "authentication"
    assert failure.fatal


def test_a_hub_that_is_out_of_reach_is_no_data_that_is_gone() -> None:
    unreachable = "ConnectionError: Couldn't reach 'cais/mmlu' on the Hub (LocalEntryNotFoundError)"
    assert classify(unreachable).name == "connection"
    assert classify("RemoteEntryNotFoundError: no such file in the repository").name == "no data upstream"
