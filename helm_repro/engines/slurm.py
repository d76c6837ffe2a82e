"""The Slurm engine: an array job with one task per shard, and a job that summarizes after it.

Slurm's own commands are used as they are. ``submitit`` would pickle a Python function
where a command line is wanted, and ``simple-slurm`` cannot read job ids of arrays
(``12_3``) and hands scripts to a shell; ``sbatch --parsable`` and ``squeue --format``
leave nothing to parse.

Secrets reach the jobs by ``sbatch --export=NAME,…``: names on the command line, values
in sbatch's environment and then in slurmctld's, which only Slurm and root read. Nothing
secret is in a script, an argument or a file of ours.

A task that loses its node is queued again by Slurm (``--requeue``) and continues: what
is finished is skipped. Before the time limit ends a task it gets SIGTERM, and stops in
order. The summarize job starts after the array in any case, and marks a suite that
lacks runs.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.engines.local import LocalEngine, environment_python, rendered_board
from helm_repro.engines.paths import in_container, is_here, is_in_image
from helm_repro.engines.submission import SUMMARIZE, Submission
from helm_repro.errors import EngineError
from helm_repro.network import network_variables

# What a job needs of the submitting shell's environment besides the variables.
_ORDINARY = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "USER", "XDG_CACHE_HOME")
_SECONDS_TO_STOP = 60
_SECONDS_TO_CANCEL = 120


class SlurmEngine:
    """Submits to the cluster that Slurm's commands here speak to."""

    name = "slurm"

    def __init__(self, catalogue: Catalogue, leaderboard: Leaderboard):
        self._catalogue = catalogue
        self._leaderboard = leaderboard
        for program in ("sbatch", "squeue", "scancel"):
            if shutil.which(program) is None:
                raise EngineError(f"slurm: no {program} here; submit from a login node")

    def submit(self, submission: Submission, secrets: Mapping[str, str], shards: Sequence[int]) -> dict[str, str]:
        """Submit both jobs.

        Raises:
            EngineError: sbatch refused one; then neither is left.
        """
        submission.folder.mkdir(parents=True, exist_ok=True)
        array = f"--array={','.join(map(str, shards))}"
        log = str(submission.folder).replace("%", "%%")
        variables = {**submission.variables, **secrets}
        # Another number of GPUs is one of the user's options, which come later and so win.
        gpu = ("--gres=gpu:1",) if submission.gpu else ()
        run = self._sbatch(submission, "run", variables, (array, f"--output={log}/run-%A_%a.log", *gpu))
        # afterany: a suite with failed runs is summarised as well, and marked.
        after = (f"--dependency=afterany:{run}", f"--output={log}/{SUMMARIZE}-%j.log")
        try:
            return {"run": run, SUMMARIZE: self._sbatch(submission, SUMMARIZE, submission.variables, after)}
        except EngineError:
            _slurm("scancel", run)
            raise

    def states(self, submission: Submission) -> dict[str, str]:
        """Ask squeue."""
        # Without --jobs: squeue fails if it has forgotten one of them.
        listing = _slurm("squeue", "--me", "--array", "--noheader", "--format=%F %K %T")
        found = {}
        for line in listing.splitlines():
            job, task, state = line.split()
            if job == submission.jobs.get("run"):
                found[task] = state.lower()
            elif job == submission.jobs.get(SUMMARIZE):
                found[SUMMARIZE] = state.lower()
        return found

    def report(self, submission: Submission) -> dict[str, str]:
        """Slurm without accounting forgets jobs that ended; how, the suite says."""
        return self.states(submission)

    def elsewhere(self, submission: Submission) -> None:
        """Nowhere: all nodes share the output folder."""

    def cancel(self, submission: Submission) -> None:
        """Cancel the jobs that have not ended.

        Raises:
            EngineError: some task has not ended after two minutes.
        """
        # scancel fails on a job that Slurm has forgotten (MinJobAge, five minutes by default).
        jobs = {submission.jobs[SUMMARIZE if part == SUMMARIZE else "run"] for part in self.states(submission)}
        if jobs:
            _slurm("scancel", *sorted(jobs))
        deadline = time.monotonic() + _SECONDS_TO_CANCEL
        while left := self.states(submission):
            if time.monotonic() > deadline:
                raise EngineError(f"slurm: {', '.join(left)} of {submission.suite} did not end")
            time.sleep(0.5)

    def logs(self, submission: Submission, part: str) -> Iterator[str]:
        """Lines of the log of a shard's last task; of earlier submissions if it was not submitted again."""
        for jobs in (submission.jobs, *reversed(submission.earlier)):
            name = f"{SUMMARIZE}-{jobs[SUMMARIZE]}" if part == SUMMARIZE else f"run-{jobs['run']}_{part}"
            path = submission.folder / f"{name}.log"
            if path.exists():
                yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
                return

    def _script(self, submission: Submission, stage: str, variables: Mapping[str, str]) -> Path:
        """Write the script of a job: which shard, which folders, one command."""
        exports = {"DATA_DIR": "/data" if submission.image else str(submission.output)}
        command = [*self._entrypoint(submission), stage]
        if submission.image:
            data = self._leaderboard.data_variables
            # Apptainer and Enroot, outside the container, read certificates by the same variables.
            inside, binds = in_container(variables, data, submission.output, _is_on_nodes, keep=True)
            # Only paths below /data or /inputs; any other value stays in the job's environment, as it may be a secret.
            exports |= {name: value for name, value in inside.items() if value != variables[name]}
            command = _in_image(submission, command, binds)
        else:
            LocalEngine().prepare(self._catalogue, self._leaderboard)
            exports["HELM_REPRO_BOARD"] = str(rendered_board(self._catalogue, self._leaderboard))
        lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
        if stage == "run":
            lines.append(f'export SHARD_INDEX="$SLURM_ARRAY_TASK_ID" SHARD_COUNT={submission.shards}')
        path = submission.folder / f"{stage}.sh"
        # exec: a signal for the batch script is one for the entrypoint.
        path.write_text("\n".join(["#!/bin/sh", "set -eu", *lines, f"exec {shlex.join(command)}", ""]))
        return path

    def _entrypoint(self, submission: Submission) -> list[str]:
        if submission.image:
            return ["/opt/helm/bin/python", "/opt/helm-repro/entrypoint.py"]
        python = environment_python(self._catalogue, self._leaderboard)
        return [str(python), "-u", str(self._catalogue.root / "entrypoint.py")]

    def _sbatch(self, submission: Submission, stage: str, variables: Mapping[str, str], options: Sequence[str]) -> str:
        given = {**network_variables(variables), **variables}
        script = self._script(submission, stage, given)
        exported = {**{name: os.environ[name] for name in _ORDINARY if name in os.environ}, **given}
        return _slurm(
            "sbatch",
            "--parsable",
            f"--job-name=helm-repro-{submission.suite}",
            f"--export={','.join(exported)}",
            f"--signal=B:TERM@{_SECONDS_TO_STOP}",
            "--requeue",
            *options,
            *submission.options,
            str(script),
            environment={**os.environ, **exported},
        ).partition(";")[0].strip()  # fmt: skip


def _in_image(submission: Submission, command: list[str], binds: Mapping[str, str]) -> list[str]:
    """The command in the submission's image, by what there is to run it."""
    image = str(submission.image)
    mounts = ",".join(f"{outside}:{inside}" + ("" if inside == "/data" else ":ro") for outside, inside in binds.items())
    if has_pyxis():
        # https://github.com/NVIDIA/pyxis#usage
        # Without --export srun follows sbatch's list of names, which lacks what the script itself exports.
        return ["srun", "--export=ALL", f"--container-image={image}", f"--container-mounts={mounts}", *command]
    for program in ("apptainer", "singularity"):
        if shutil.which(program):
            # https://apptainer.org/docs/user/main/bind_paths_and_mounts.html; the environment passes through.
            # Pyxis gives a container the job's GPUs by itself: https://apptainer.org/docs/user/main/gpu.html
            drivers = ["--nv"] if submission.gpu else []
            return [program, "exec", *drivers, "--bind", mounts, image, *command]
    raise EngineError("slurm: neither Pyxis nor Apptainer here; without --image the local environment is used")


def _is_on_nodes(path: str) -> bool:
    """Whether to look for a path on the nodes: their own disks hold what is not here, and is not the image's."""
    return is_here(path) or (path.startswith("/") and not is_in_image(path))


def has_pyxis() -> bool:
    """Whether srun has the options of the Pyxis plugin."""
    if shutil.which("srun") is None:
        return False
    done = subprocess.run(["srun", "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return "--container-image" in done.stdout


def _slurm(*command: str, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise EngineError(f"slurm: {command[0]} failed: {' '.join(done.stderr.split())[:400]}")
    return done.stdout
