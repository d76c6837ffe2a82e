"""Every environment variable of the entrypoint, in one table.

The first seven are those of HELM's page "Reproducing Leaderboards"
(``docs/reproducing_leaderboards.md``); ``NUM_EVAL_INSTANCES`` is the page's second
name for ``MAX_EVAL_INSTANCES``. README and ``describe`` are generated from here.
"""

from __future__ import annotations

import dataclasses
from typing import Optional


@dataclasses.dataclass(frozen=True)
class Variable:
    """One environment variable.

    ``default`` of ``None`` means that there is none; ``board`` names the
    leaderboard field that gives the default instead.
    """

    name: str
    doc: str
    default: Optional[str] = None
    board: Optional[str] = None
    choices: tuple[str, ...] = ()
    helm_page: bool = False
    secret: bool = False


# From the entrypoint to HELM's process: deployments of the leaderboard's judges.
JUDGES_VARIABLE = "HELM_REPRO_JUDGES"

STAGES = ("run", "summarize", "server")

VARIABLES: tuple[Variable, ...] = (
    Variable("MODELS_TO_RUN", "model or models to evaluate, separated by spaces or commas", helm_page=True),
    Variable("SUITE_NAME", "name of the suite that results go into", default="my-suite", helm_page=True),
    Variable("RUN_ENTRIES_CONF_PATH", "run entries to use instead of the leaderboard's", board="conf", helm_page=True),
    Variable("SCHEMA_PATH", "schema to use instead of the leaderboard's", board="schema", helm_page=True),
    Variable("NUM_TRAIN_TRIALS", "trials, each with its own examples", board="num_train_trials", helm_page=True),
    Variable("MAX_EVAL_INSTANCES", "most instances per run", board="max_eval_instances", helm_page=True),
    Variable("NUM_EVAL_INSTANCES", "the page's second name for MAX_EVAL_INSTANCES", helm_page=True),
    Variable("PRIORITY", "run entries up to this priority, 1 to 5", board="priority", helm_page=True),
    Variable("STAGES", "stages to run, in this order", default="run,summarize,server", choices=STAGES),
    Variable("NUM_THREADS", "requests in flight, in all", default="4"),
    Variable("JOBS", "processes that share the runs; `auto`: two per CPU, at most 4, and 1 if a model or judge is "
             "computed here", default="auto"),
    Variable("PORT", "port of the server stage", default="8000"),
    Variable("SERVER_HOST", "address that the server stage listens on", default="0.0.0.0"),
    Variable("DATA_DIR", "directory that holds benchmark_output and prod_env", default="/data"),
    Variable("MODEL_GROUPS", "entries for a group of models: `strict` keeps those your model's tags match, "
             "`all` runs every one (HELM 0.5.12 and later)", board="model_groups", choices=("strict", "all")),
    Variable("INCLUDE_UNAVAILABLE", "1: run entries whose data is known to be gone as well", default="0",
             choices=("0", "1")),
    Variable("JUDGE_OVERRIDES", "judges to replace, as `judge=model,judge=model`; marks the suite"),
    Variable("REASONING_MODELS", "models that reason before they answer, or `none`; some leaderboards give those more "
             "tokens; default: by their names"),
    Variable("ORGANIZATION", "whose private entries to run, from your run_entries_medhelm_private_<organization>.conf"),
    Variable("PREFLIGHT", "`warn` only reports what preflight finds, `strict` also stops at warnings, `off` skips it",
             default="on", choices=("on", "warn", "strict", "off")),
    Variable("REQUEST_CACHE", "whose earlier answers are used again: those of all suites (`shared`), of this `suite` "
             "only, or of this `shard` only", default="shared", choices=("shared", "suite", "shard")),
    Variable("RESUME", "when a suite was started with other parameters: `refuse`, use a `new-suite`, or `force`",
             default="refuse", choices=("refuse", "new-suite", "force")),
    Variable("RUN_ATTEMPTS", "attempts at runs that fail for a passing reason", default="3"),
    Variable("ANOMALY_THRESHOLD", "percentage of odd answers (empty, cut, not judged) from which a run is reported",
             default="10"),
    Variable("SHARD_INDEX", "which shard this is, from 0; array jobs of Slurm, Kubernetes and AWS Batch say so too"),
    Variable("SHARD_COUNT", "number of shards; each runs its part of the plan, then summarize the suite once"),
    Variable("MODEL_BASE_URL", "server that speaks OpenAI's protocol and holds the model, as in `http://host:8000/v1`"),
    Variable("MODEL_API", "which of the server's interfaces is asked", default="chat", choices=("chat", "completions")),
    Variable("MODEL_API_KEY", "the server's key, if it wants one", secret=True),
    Variable("MODEL_API_KEY_FILE", "file that holds MODEL_API_KEY"),
    Variable("MODEL_NAME_ON_SERVER", "the server's name of the model, where it is not that of MODELS_TO_RUN"),
    Variable("MODEL_TOKENIZER", "tokenizer that counts and cuts prompts: HELM's name, a Hugging Face repository or a "
             "folder; without one nothing is cut"),
    Variable("MODEL_MAX_SEQUENCE_LENGTH", "most tokens of prompt and answer; longer prompts are cut as HELM does"),
    Variable("MODEL_DISPLAY_NAME", "name of the model in tables"),
    Variable("MODEL_INSTRUCTION_FOLLOWING", "whether HELM prompts the model as one that follows instructions; `auto`: "
             "a chat model does", default="auto", choices=("auto", "on", "off")),
    Variable("MODEL_TIMEOUT", "seconds until a request to MODEL_BASE_URL is given up", default="600"),
    Variable("MODEL_ENDPOINT_ID", "name of the server that stays when its address changes; cached answers go by it"),
    Variable("LOCAL_MODEL_PATH", "folder of a Hugging Face model that runs in this container (gpu flavour)"),
    Variable("MODEL_DTYPE", "numbers that a model in this container computes with; `auto` is the model's own choice",
             default="auto", choices=("auto", "float32", "float16", "bfloat16")),
    Variable("MODEL_REVISION", "branch, tag or commit of a `huggingface/` model"),
    Variable("MODEL_CHAT_TEMPLATE", "whether a model in this container is prompted by its chat template; `auto`: if it "
             "has one", default="auto", choices=("auto", "on", "off")),
    Variable("MODEL_DEVICE", "where a model in this container runs; `auto`: the first GPU if there is one, `all`: "
             "spread over all GPUs", default="auto", choices=("auto", "cpu", "cuda", "all")),
    Variable("OFFLINE", "1: reach no network but MODEL_BASE_URL; data comes from the cache that `warm` filled",
             default="0", choices=("0", "1")),
    Variable("LOG_FORMAT", "form of our own log lines", default="text", choices=("text", "json")),
)  # fmt: skip

BY_NAME = {variable.name: variable for variable in VARIABLES}
