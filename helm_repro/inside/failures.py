"""Why a run failed, told from its error text by an ordered table of signatures.

The first signature that matches decides. ``transient`` failures are worth another
attempt; a ``fatal`` one will hit every other run too, so the stage ends at once
instead of paying for requests whose run cannot finish.

HELM puts prompts, answers and judges' verdicts into its error texts. They may say
anything ("Unauthorized", "401(k)") and decide nothing here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from helm_repro.inside.exit_codes import ExitCode


@dataclasses.dataclass(frozen=True)
class FailureClass:
    """One kind of failure: how to know it, what it means, what to do."""

    name: str
    pattern: str
    exit_code: ExitCode
    next_step: str
    transient: bool = False
    fatal: bool = False


CLASSES: tuple[FailureClass, ...] = (
    FailureClass(
        "disk full",
        r"No space left on device|Errno 28|disk quota exceeded|database or disk is full",
        ExitCode.PARTIAL,
        "free space under the data directory, then run the same command again",
        fatal=True,
    ),
    FailureClass(
        "out of memory",
        r"MemoryError|Cannot allocate memory|CUDA out of memory|OutOfMemoryError|killed by signal 9|ended by signal 9",
        ExitCode.PARTIAL,
        "give the container more memory or lower JOBS and NUM_THREADS, then run the same command again",
    ),
    FailureClass(
        "no GPU",
        r"no GPU is visible|No CUDA GPUs are available|Torch not compiled with CUDA|Found no NVIDIA driver",
        ExitCode.CONFIGURATION,
        "start the container with --gpus all, or set MODEL_DEVICE=auto for the CPU",
    ),
    # The guard of OFFLINE=1 (offline.py) says so each time anew; another attempt would change nothing.
    FailureClass(
        "offline",
        r"OFFLINE=1 forbids",
        ExitCode.UPSTREAM_DATA,
        "run `warm` with the same variables where there is a network, then run the same command again",
    ),
    FailureClass(
        "no address",
        r"Invalid URL 'None'",
        ExitCode.CONFIGURATION,
        "this model's address is no public one; name it in prod_env/credentials.conf as <organization>Endpoint",
    ),
    # Before "authentication": the hub refuses with 401 or 403, too, which says nothing about the model's key. To who
    # shows no token it says 401 of what does not exist, as well.
    FailureClass(
        "gated data",
        r"GatedRepoError|access(ing)? (a )?gated repo|is a gated (repo|dataset)|authenticated to access it\b"
        r"|Access to (dataset|model) .{1,200} is restricted|\b40[13] Client Error.{0,200}https://huggingface\.co/",
        ExitCode.CREDENTIALS,
        "accept the terms of the data set, tokenizer or model on huggingface.co, set HF_TOKEN, then run the same "
        "command again",
    ),
    FailureClass(
        "authentication",
        r"\b401\b|AuthenticationError|invalid[ _]api[ _]key|incorrect api key|Unauthorized|api_key client option must be"
        r"|ApiKey not set|API key was not set|could not resolve authentication|DefaultCredentialsError"
        r"|permission[ _]?denied.{0,40}api|\b403\b.{0,80}(key|credential|permission|forbidden)",
        ExitCode.CREDENTIALS,
        "check the model's key, then run the same command again",
        fatal=True,
    ),
    FailureClass(
        "unknown model",
        r"model_not_found|ModelDeploymentNotFound|does not exist or you do not have access|\bNotFoundError.{0,200}model"
        r"|The model `[^`]*` (does not exist|has been deprecated)|has been (deprecated|retired)|\bdecommissioned\b",
        ExitCode.API,
        "the provider does not serve this model; check MODELS_TO_RUN, or the judge and JUDGE_OVERRIDES",
    ),
    FailureClass(
        "missing dependency",
        r"Optional dependency .* is not installed|OptionalDependencyNotInstalled|ModuleNotFoundError|No module named",
        ExitCode.CONFIGURATION,
        "this image's environment lacks a package; see the leaderboard's page in docs",
    ),
    # The second is HELM's, when it gave up storing an answer (write_to_key_value_store, helm/common/cache.py).
    FailureClass(
        "storage",
        r"disk I/O error|Attempts: \d+, Value: False\b|Errno 5\b|Input/output error|Stale (NFS )?file handle",
        ExitCode.PARTIAL,
        "see whether the file system under the data directory answers, then run the same command again",
        transient=True,
    ),
    FailureClass(
        "rate limit",
        r"RateLimitError|\b429\b|rate[ _-]?limit|too many requests|quota|overloaded",
        ExitCode.API,
        "lower NUM_THREADS or wait, then run the same command again",
        transient=True,
    ),
    FailureClass(
        "no data upstream",
        r"DatasetNotFoundError|RepositoryNotFoundError|HTTP Error 40[34]|404 Client Error|\b(?:Remote)?EntryNotFoundError"
        r"|Failed with exit code \d+: wget|FileNotFoundError.{0,120}(https?://|dataset|hf://)|gdown|Cannot retrieve the public link",
        ExitCode.UPSTREAM_DATA,
        "the data is gone or moved; mount your own copy (see the leaderboard's page in docs)",
    ),
    FailureClass(
        "timeout",
        r"Timeout|timed out|deadline exceeded",
        ExitCode.API,
        "the API or a download was too slow; run the same command again",
        transient=True,
    ),
    FailureClass(
        "connection",
        r"APIConnectionError|ConnectionError|Connection (error|refused|reset|aborted)|RemoteDisconnected|Name or service not known"
        r"|Temporary failure in name resolution|Network is unreachable|Max retries exceeded|RemoteProtocolError"
        r"|LocalEntryNotFoundError|urlopen error|couldn't connect|Cannot send a request|IncompleteRead|BrokenPipe",
        ExitCode.API,
        "check the network, then run the same command again",
        transient=True,
    ),
    FailureClass(
        "server error",
        r"InternalServerError|Error code: 5\d\d|HTTP Error 5\d\d|\b50[0234]\b.{0,40}(server|gateway|unavailable)|ServiceUnavailable",
        ExitCode.API,
        "the API is in trouble; run the same command again later",
        transient=True,
    ),
)  # fmt: skip

DISK_FULL = CLASSES[0]
DISK_FULL_STATUS = 74
"""Exit status of a worker that could not store an answer (EX_IOERR of sysexits.h)."""
OTHER = FailureClass("other", "", ExitCode.PARTIAL, "see the cause; HELM's full traceback is in failures.json")
_COMPILED = tuple((failure, re.compile(failure.pattern, re.IGNORECASE | re.DOTALL)) for failure in CLASSES)

# Representations of Request and TokenizationRequest (helm/common) by their first fields; they are one line.
_REQUEST = re.compile(r" ?(?:Request: )?\[?\b\w*Request\((?:model_deployment|model|text)=.*")
# Before what a model or a judge wrote, or the bare prompt; by HELM's annotators and clients, and by float and int.
_QUOTES = re.compile(
    r"(?:Malformed annotator response|Could not parse [\w ]{1,40} raw (?:response|request)|Content blocked error in cached \w+"
    r"|No candidates in response|No content(?: parts)? in candidate|Anthropic response has (?:empty|non-text) content"
    r"|Received refusal from OpenAI API|Invalid logprobs response|Raw Request"
    r"|invalid literal for int\(\) with base \d+|could not convert string to float): .*",
    re.DOTALL,
)


def without_requests(text: str, keep: int = 0) -> str:
    """``text`` with the first ``keep`` characters of each request that HELM put into it."""
    return _REQUEST.sub(lambda found: found[0][:keep], text)


def classify(*texts: str) -> FailureClass:
    """Return the first class whose signature is in one of ``texts`` (an error, its cause)."""
    judged = "\n".join(_QUOTES.sub("", without_requests(text)) for text in texts)
    for failure, pattern in _COMPILED:
        if pattern.search(judged):
            return failure
    return OTHER


def classify_event(event: Mapping[str, Any]) -> FailureClass:
    """Classify a ``fail`` event of the journal."""
    return classify(str(event.get("error", "")), str(event.get("cause", "")))


def outcome(failures: Iterable[FailureClass], any_complete: bool) -> ExitCode:
    """The exit code for a stage with these failures.

    Some runs complete: PARTIAL. None complete: what stood in the way, the first class
    in the table's order deciding.
    """
    classes = set(failures)
    if not classes:
        return ExitCode.OK
    if any_complete:
        return ExitCode.PARTIAL
    return next((c.exit_code for c in CLASSES if c in classes), OTHER.exit_code)
