"""A local web server over a folder, as Google Cloud Storage behaves, that can also misbehave."""

from __future__ import annotations

import base64
import hashlib
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class FileServer:
    """Serves while used as a context manager.

    Attributes:
        cut: path endings whose body breaks off half way, as long as their count is above 0.
        status: path endings -> the status to answer with instead.
        requests: (path, whether it was conditional, status) of every request.
    """

    def __init__(self, root: Path):
        self.root = root
        self.cut: dict[str, int] = {}
        self.status: dict[str, int] = {}
        self.requests: list[tuple[str, bool, int]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(files: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urllib.parse.unquote(self.path).lstrip("/")
            conditional = "If-None-Match" in self.headers
            given = next((code for end, code in files.status.items() if path.endswith(end)), None)
            if given is not None or not (files.root / path).is_file():
                self._answer(path, conditional, given or 404, b"")
                return
            content = (files.root / path).read_bytes()
            digest = hashlib.md5(content, usedforsecurity=False)
            etag = f'"{digest.hexdigest()}"'
            if self.headers.get("If-None-Match") == etag:
                self._answer(path, conditional, 304, b"")
                return
            hashed = f"md5={base64.b64encode(digest.digest()).decode()}"
            end = next((end for end, count in files.cut.items() if count and path.endswith(end)), None)
            if end is not None:
                files.cut[end] -= 1
            self._answer(path, conditional, 200, content, {"ETag": etag, "x-goog-hash": hashed}, end is not None)

        def _answer(
            self,
            path: str,
            conditional: bool,
            status: int,
            content: bytes,
            headers: dict[str, str] | None = None,
            cut: bool = False,
        ) -> None:
            files.requests.append((path, conditional, status))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler
