"""The Docker engine, through the Docker SDK: variables never appear on a command line."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.types import DeviceRequest

from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.catalogue.render import inputs_sha256
from helm_repro.engines.paths import in_container
from helm_repro.engines.request import RunRequest, Write
from helm_repro.errors import EngineError
from helm_repro.images import bake
from helm_repro.images.definition import Options
from helm_repro.network import network_variables

if TYPE_CHECKING:
    from docker.models.containers import Container

INPUTS_LABEL = "io.github.helm-repro.inputs"
# A model server on this machine is http://host.docker.internal:PORT from inside.
_THIS_MACHINE = "host.docker.internal"
# HELM's stages get a few seconds to end; Docker's own default is 10.
_STOP_SECONDS = 8
# What Docker says, in its several versions, where NVIDIA's container toolkit or the driver is not installed.
_NO_GPU = re.compile(r"could not select device driver|GPU vendor|CDI device|nvidia", re.IGNORECASE)


class DockerEngine:
    """Runs the board's image as the calling user, results in a bind mount."""

    name = "docker"

    def __init__(self) -> None:
        try:
            self._client = docker.from_env()
            self._user = _user(self._client.info())
        except DockerException as error:
            raise EngineError(f"docker: no engine answers ({' '.join(str(error).split())[:200]})") from error

    def prepare(self, catalogue: Catalogue, leaderboard: Leaderboard) -> None:
        """Build the image unless one with the same inputs is there."""
        expected = inputs_sha256(catalogue, leaderboard)
        with contextlib.suppress(ImageNotFound):
            image = self._client.images.get(image_name(leaderboard))
            if image.labels.get(INPUTS_LABEL) == expected:
                return
        options = dataclasses.replace(Options.from_environment(), gpu=leaderboard.flavour == "gpu")
        bake.build(catalogue, [leaderboard.id], options)

    def run(self, request: RunRequest, write: Write, write_error: Optional[Write] = None) -> int:
        """Run a container that is removed afterwards, whatever happens."""
        request.make_output()
        given = _with_organizations_conf(request)
        given = {**network_variables(given, direct=_THIS_MACHINE), **given}
        variables, binds = in_container(given, request.leaderboard.data_variables, request.output)
        ports = {}
        if request.publish:
            variables |= {"PORT": "8000", "SERVER_HOST": "0.0.0.0"}
            ports = {"8000/tcp": request.publish}
        options: dict[str, Any] = {
            "image": image_name(request.leaderboard),
            "command": list(request.words),
            "environment": {**variables, "DATA_DIR": "/data"},
            "volumes": {
                outside: {"bind": inside, "mode": "rw" if inside == "/data" else "ro"}
                for outside, inside in binds.items()
            },
            "extra_hosts": {_THIS_MACHINE: "host-gateway"},
            "user": self._user,
            "ports": ports,
            "labels": {"helm-repro.leaderboard": request.leaderboard.id},
        }
        if request.leaderboard.flavour != "gpu":
            return self._run(options, write, write_error or write)
        try:
            # As `docker run --gpus all`.
            every_gpu = DeviceRequest(count=-1, capabilities=[["gpu"]])
            return self._run({**options, "device_requests": [every_gpu]}, write, write_error or write)
        except _NoGpuError:
            (write_error or write)(b"helm-repro: docker has no GPU to give; models in the container run on the CPU\n")
            return self._run(options, write, write_error or write)

    def _run(self, options: Mapping[str, Any], write: Write, write_error: Write) -> int:
        try:
            container = self._client.containers.create(**options)
        except DockerException as failure:
            raise _failed(failure) from failure
        try:
            with _signals_stop(container) as asked:
                streams = container.attach(stream=True, demux=True)
                _start(container, "device_requests" in options)
                if asked:  # before there was anything to stop
                    _stop(container, asked[0])
                for output, error in streams:
                    if output:
                        write(output)
                    if error:
                        write_error(error)
                return int(container.wait()["StatusCode"])
        except DockerException as failure:
            raise _failed(failure) from failure
        finally:
            container.remove(force=True)


def _user(engine: Mapping[str, Any]) -> str:
    """Who writes results, so that they belong to the calling user.

    Raises:
        EngineError: the engine gives containers other ids than this machine's.
    """
    kinds = {option.partition(",")[0] for option in engine.get("SecurityOptions") or ()}
    if "name=userns" in kinds:
        raise EngineError(
            "docker: with userns-remap containers have ids of their own, which cannot write the output folder; use "
            "--engine local, rootless Docker, or an engine without userns-remap"
        )
    # There the container's root is the user who started the engine, and any other id one that owns nothing.
    return "0:0" if "name=rootless" in kinds else f"{os.getuid()}:{os.getgid()}"


def _failed(failure: DockerException) -> EngineError:
    return EngineError(f"docker: {' '.join(str(failure).split())[:400]}")


class _NoGpuError(Exception):
    """Docker cannot give a container a GPU; nothing has run."""


def _start(container: Container, with_gpu: bool) -> None:
    try:
        container.start()
    except APIError as error:
        if with_gpu and _NO_GPU.search(str(error)):
            raise _NoGpuError from error
        raise


def _with_organizations_conf(request: RunRequest) -> Mapping[str, str]:
    """Name the conf that ORGANIZATION chooses by its path, where it lies in this process's working directory.

    The entrypoint looks for it in its own one, which for a container is the results folder.
    """
    organization = request.variables.get("ORGANIZATION", "").strip()
    name = request.leaderboard.conf_of(organization)
    chosen = organization and name != request.leaderboard.conf and not request.variables.get("RUN_ENTRIES_CONF_PATH")
    return (
        {**request.variables, "RUN_ENTRIES_CONF_PATH": name} if chosen and Path(name).is_file() else request.variables
    )


def image_name(leaderboard: Leaderboard) -> str:
    """The image that ``make image`` builds for a board."""
    return f"helm-repro:{leaderboard.tag}"


@contextlib.contextmanager
def _signals_stop(container: Container) -> Iterator[list[str]]:
    """Pass signals on to the container; gives the names of those that have arrived."""
    arrived: list[str] = []

    def stop(signum: int, frame: object) -> None:
        # In a thread: the log stream in this one must go on to show how the stages end.
        name = signal.Signals(signum).name
        arrived.append(name)
        threading.Thread(target=_stop, args=(container, name), daemon=True).start()

    previous = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield arrived
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _stop(container: Container, signal_name: str) -> None:
    with contextlib.suppress(DockerException):
        container.kill(signal_name)
        container.stop(timeout=_STOP_SECONDS)
