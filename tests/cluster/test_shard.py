"""Which shard this is: what SHARD_INDEX and the array jobs' variables mean, and what is refused."""

from __future__ import annotations

import pytest

from helm_repro.inside.errors import VariableError
from helm_repro.inside.inputs.settings import read_settings
from helm_repro.inside.inputs.shard import WHOLE, Shard, read_shard

_SLURM = {"SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_STEP": "1"}


@pytest.mark.parametrize(
    ("environ", "shard"),
    [
        ({}, WHOLE),
        ({"SHARD_INDEX": "", "SHARD_COUNT": ""}, WHOLE),
        ({"SHARD_COUNT": "1"}, WHOLE),
        ({"SHARD_INDEX": "0", "SHARD_COUNT": "1"}, WHOLE),
        ({"SHARD_INDEX": "3", "SHARD_COUNT": "4"}, Shard(3, 4)),
        ({**_SLURM, "SLURM_ARRAY_TASK_ID": "2"}, Shard(2, 4)),
        ({**_SLURM, "SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "1"}, Shard(3, 4)),
        ({**_SLURM, "SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_STEP": "2"}, Shard(3, 4)),
        ({**_SLURM, "SLURM_ARRAY_TASK_ID": "2", "SHARD_COUNT": "4"}, Shard(2, 4)),
        # A user's array over something else: shards are switched off, or are what he says.
        ({**_SLURM, "SLURM_ARRAY_TASK_ID": "2", "SHARD_COUNT": "1"}, WHOLE),
        ({**_SLURM, "SLURM_ARRAY_TASK_ID": "9", "SHARD_INDEX": "1", "SHARD_COUNT": "2"}, Shard(1, 2)),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ARRAY_SIZE": "3"}, Shard(1, 3)),
        ({"JOB_COMPLETION_INDEX": "1", "SHARD_COUNT": "3"}, Shard(1, 3)),
    ],
)
def test_the_environment_names_the_shard(environ: dict[str, str], shard: Shard) -> None:
    assert read_shard(environ) == shard


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"SHARD_INDEX": "1"}, "SHARD_COUNT=: must be set"),
        ({"SHARD_COUNT": "4"}, "SHARD_INDEX=: must be set, from 0 to 3"),
        ({"SHARD_INDEX": "4", "SHARD_COUNT": "4"}, "SHARD_INDEX=4: must be a whole number from 0 to 3"),
        ({"SHARD_INDEX": "-1", "SHARD_COUNT": "4"}, "SHARD_INDEX=-1"),
        ({"SHARD_INDEX": "x", "SHARD_COUNT": "4"}, "SHARD_INDEX=x"),
        ({"SHARD_INDEX": "0", "SHARD_COUNT": "0"}, "SHARD_COUNT=0"),
        ({"SHARD_INDEX": "0", "SHARD_COUNT": "²"}, "SHARD_COUNT=²"),
        ({"JOB_COMPLETION_INDEX": "1"}, "SHARD_COUNT=: must be set"),
        # Part of an array that is submitted again: its first index and size are other ones.
        ({"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "1", "SHARD_COUNT": "4"}, "SHARD_COUNT=4"),
        ({**_SLURM, "SLURM_ARRAY_TASK_ID": "7"}, "SLURM_ARRAY_TASK_ID=7"),
        ({**_SLURM, "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_STEP": "2"}, "SLURM_ARRAY_TASK_ID=3"),
    ],
)
def test_what_is_ambiguous_is_refused(environ: dict[str, str], named: str) -> None:
    with pytest.raises(VariableError) as error:
        read_shard(environ)
    assert str(error.value).startswith(named)


def test_a_shard_names_its_own_files() -> None:
    assert Shard(2, 4).file_name("run_entries.conf") == "run_entries.shard-2-of-4.conf"
    assert WHOLE.file_name("run_entries.conf") == "run_entries.conf"


def test_a_shard_only_runs(board) -> None:
    variables = {"MODELS_TO_RUN": "a/b", "SHARD_INDEX": "0", "SHARD_COUNT": "2"}
    settings = read_settings(variables, board)
    assert settings.stages == ("run",)
    assert settings.shard == Shard(0, 2)
    with pytest.raises(VariableError, match="STAGES=run,summarize: shard 0 of 2 can only run"):
        read_settings(variables, board, ["run", "summarize"])
    # The job that summarizes may be part of an array job too.
    assert read_settings({"JOB_COMPLETION_INDEX": "0"}, board, ["summarize"]).shard == WHOLE


def test_a_shard_makes_no_suite_of_its_own(board) -> None:
    variables = {"MODELS_TO_RUN": "a/b", "SHARD_INDEX": "0", "SHARD_COUNT": "2"}
    with pytest.raises(VariableError, match="RESUME=new-suite: shards need one name") as error:
        read_settings({**variables, "RESUME": "new-suite"}, board)
    assert error.value.exit_code == 2
    assert read_settings({**variables, "RESUME": "force"}, board).resume == "force"
    assert read_settings({"MODELS_TO_RUN": "a/b", "RESUME": "new-suite"}, board).resume == "new-suite"
