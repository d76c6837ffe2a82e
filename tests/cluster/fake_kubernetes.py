"""A Kubernetes API server that keeps objects in memory and runs nothing.

Enough of the protocol for ``kubectl create --dry-run=client`` and for the official
client: discovery, create, get, list, delete (with a uid as its precondition).
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

_KINDS = {
    "v1": {"persistentvolumeclaims": "PersistentVolumeClaim", "pods": "Pod"},
    "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
}


class FakeKubernetes:
    """``objects`` holds what was created, by (kind in the plural, name); ``kubeconfig`` points at it.

    ``before_delete`` is called before an object is deleted. ``logs`` holds what containers have written, by their
    names; those that have started and are not in it wrote two lines.
    """

    def __init__(self, folder: Path, address: str):
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.before_delete: Callable[[], object] = lambda: None
        self.logs: dict[str, str] = {}
        self.forbids_logs = False
        self.kubeconfig = folder / "kubeconfig"
        context = {"name": "fake", "context": {"cluster": "fake", "user": "fake"}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": address}}],
            "users": [{"name": "fake", "user": {"token": "fake"}}],
            "contexts": [context],
            "current-context": "fake",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def answer(self, method: str, address: str, body: Any) -> tuple[int, Any]:
        """Status and document for a request."""
        path = urlsplit(address).path
        if (found := _discovery(path)) is not None:
            return 200, found
        parts = path.strip("/").split("/")
        kind, *rest = parts[parts.index("namespaces") + 2 :] if "namespaces" in parts else [parts[-1]]
        if method == "POST":
            key = (kind, body["metadata"]["name"])
            if key in self.objects:
                return 409, _status(409, "AlreadyExists")
            body["metadata"]["uid"] = str(uuid.uuid4())
            self.objects[key] = body
            return 201, body
        if not rest:
            items = [item for (one, _), item in self.objects.items() if one == kind]
            return 200, {"kind": "List", "apiVersion": "v1", "items": items}
        if method == "DELETE":
            self.before_delete()
        item = self.objects.get((kind, rest[0]))
        if item is None:
            return 404, _status(404, "NotFound")
        if rest[1:] == ["log"]:
            return self._log(item, *parse_qs(urlsplit(address).query).get("container", ()))
        if method == "DELETE":
            if (body or {}).get("preconditions", {}).get("uid") not in (None, item["metadata"]["uid"]):
                return 409, _status(409, "Conflict")
            del self.objects[kind, rest[0]]
        return 200, item

    def _log(self, pod: dict[str, Any], container: str = "") -> tuple[int, Any]:
        """As the API server does: a pod without a node has an empty log, a container that has not started none."""
        if self.forbids_logs:
            return 403, _status(403, "Forbidden")
        container = container or pod["spec"]["containers"][0]["name"]
        statuses = [*pod["status"].get("initContainerStatuses", ()), *pod["status"].get("containerStatuses", ())]
        for status in statuses:
            if status["name"] == container and "waiting" in status["state"]:
                what = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
                reason = status["state"]["waiting"]["reason"]
                return 400, {**_status(400, "BadRequest"), "message": f"{what} is waiting to start: {reason}"}
        unscheduled = pod["status"]["phase"] == "Pending" and not statuses
        return 200, "" if unscheduled else self.logs.get(container, "first line\nlast line\n")


@contextmanager
def fake_kubernetes(folder: Path) -> Iterator[FakeKubernetes]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, document = cluster.answer(self.command, self.path, body)
            data = document.encode() if isinstance(document, str) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(document, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    cluster = FakeKubernetes(folder, f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()


def use(cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the client in this process speak to it."""
    # The client reads KUBECONFIG once, when it is imported.
    for module in ("kubernetes.config", "kubernetes.config.kube_config"):
        monkeypatch.setattr(f"{module}.KUBE_CONFIG_DEFAULT_LOCATION", str(cluster.kubeconfig))


def _discovery(path: str) -> Any:
    if path == "/version":
        return {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        version = {"groupVersion": "batch/v1", "version": "v1"}
        group = {"name": "batch", "versions": [version], "preferredVersion": version}
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}
    for version, kinds in _KINDS.items():
        if path == ("/api/v1" if version == "v1" else f"/apis/{version}"):
            verbs = ["create", "delete", "get", "list"]
            resources = [
                {"name": name, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}
                for name, kind in kinds.items()
            ]
            return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return None


def _status(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
