"""A real Slurm on this host: munged, slurmctld and two slurmd in a folder of its own.

Uses none of the machine's Slurm configuration, and ends every process it started.
Debian packages: munge, slurmctld, slurmd, slurm-client.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
NODES = ("node1", "node2")
_CONF = """\
ClusterName=helmrepro
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=6
KillWait=5
SchedulerParameters=sched_interval=1,batch_sched_delay=0
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """Programs of Slurm and munge that are not installed."""
    return [name for name in PROGRAMS if find(name) is None]


def find(name: str) -> str | None:
    """Daemons lie in /usr/sbin, which need not be in PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class SlurmCluster:
    """Use as a context manager; ``environment`` makes Slurm's commands speak to this cluster."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> SlurmCluster:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self.command("scancel", "--user=root", timeout=20)
            wait_until(lambda: not self.command("squeue", "--noheader"), 30, "no job is left")
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()
            daemon.wait()

    def command(self, *arguments: str, timeout: int = 60) -> str:
        """Run one of Slurm's commands and return its output."""
        done = subprocess.run(
            arguments, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def start_node(self, name: str) -> None:
        """Start the slurmd of a node and wait until the node can take jobs."""
        self._spawn(name, "slurmd", "-D", "-N", name)
        wait_until(lambda: self._state(name) in ("idle", "mixed", "allocated"), 60, f"{name} is up")

    def kill_node(self, name: str) -> None:
        """What pulling the plug does: slurmd and all that it started die at once."""
        daemon = self._daemons.pop(name)
        # A job's slurmstepd is no child of slurmd, but writes into its node's log.
        doomed = {daemon.pid, *_descendants(daemon.pid)}
        for stepd in _step_daemons(self.folder / f"slurmd-{name}.log"):
            doomed |= {stepd, *_descendants(stepd)}
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        daemon.wait()

    def node_of(self, job: str) -> str:
        """The node that a running job is on, "" if it does not run."""
        options = ("--noheader", "--array", "--states=RUNNING", f"--jobs={job}", "--format=%N")
        return self.command("squeue", *options).strip()

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o600)
        (self.folder / "slurm.conf").write_text(
            _CONF.format(host=socket.gethostname().partition(".")[0], folder=self.folder, ports=_free_ports(3))
        )
        # In a container there is no delegated cgroup to work in.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        files = [f"--{kind}-file={self.folder}/munge.{kind}" for kind in ("key", "pid", "log", "seed")]
        # --force: it would not run as root, nor below folders that others may enter.
        self._spawn("munged", "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *files)
        wait_until((self.folder / "munge.socket").exists, 20, "munged answers")
        self._spawn("slurmctld", "slurmctld", "-D", "-i")
        wait_until(self._controller_answers, 60, "slurmctld answers")
        for node in NODES:
            self.start_node(node)

    def _spawn(self, key: str, program: str, *arguments: str) -> None:
        path = find(program)
        assert path
        with (self.folder / f"{key}.out").open("ab") as log:
            self._daemons[key] = subprocess.Popen(
                [path, *arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _controller_answers(self) -> bool:
        assert self._daemons["slurmctld"].poll() is None, (self.folder / "slurmctld.out").read_text()[-2000:]
        done = subprocess.run(
            ["scontrol", "ping"], env={**os.environ, **self.environment}, capture_output=True, text=True
        )
        return "is UP" in done.stdout

    def _state(self, node: str) -> str:
        return self.command("sinfo", "--noheader", f"--nodes={node}", "--format=%T").strip()


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for the condition.

    Raises:
        AssertionError: it did not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _processes() -> dict[int, tuple[int, str]]:
    """Process id -> (parent, command line) of every process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found[int(entry.name)] = (parent, (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def _descendants(pid: int) -> set[int]:
    processes = _processes()
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, (parent, _) in processes.items() if parent in new} - found
        found |= new
    return found


def _step_daemons(log: Path) -> set[int]:
    """Process ids of the slurmstepd that hold a node's log open."""
    found = set()
    for pid, (_, command) in _processes().items():
        if "slurmstepd" in command:
            with contextlib.suppress(OSError):
                if any(link.exists() and link.samefile(log) for link in Path(f"/proc/{pid}/fd").iterdir()):
                    found.add(pid)
    return found
