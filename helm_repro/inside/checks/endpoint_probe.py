"""One real request to the server of MODEL_BASE_URL, before anything is spent.

It asks what HELM's client will ask, so that what is wrong shows now and by its name: the
address, the key, the model's name on the server, or answers that HELM cannot use.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Optional

from helm_repro.inside.checks.probe import PROMPT
from helm_repro.inside.deployments.endpoint import KEY_VARIABLE, NO_KEY, Endpoint
from helm_repro.inside.errors import InsideError, VariableError
from helm_repro.inside.exit_codes import ExitCode

_MAX_TOKENS = 16
# A server that is loading weights or under load may answer late, but a run of thousands of such requests is no use.
_LONGEST_WAIT = 120
_ATTEMPTS = 4
_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class _Server:
    endpoint: Endpoint
    model: str
    key: Optional[str]
    sleep: Callable[[float], None]

    @property
    def wait(self) -> float:
        return min(self.endpoint.timeout, _LONGEST_WAIT)

    def at(self, problem: str, code: ExitCode) -> InsideError:
        return self.error("MODEL_BASE_URL", self.endpoint.base_url, " ".join(problem.split()), code)

    def error(self, variable: str, value: str, problem: str, code: ExitCode) -> InsideError:
        text = str(VariableError(variable, value, problem))
        return InsideError(text.replace(self.key, "[redacted]") if self.key else text, code)


def probe(
    endpoint: Endpoint,
    model: str,
    key: Optional[str],
    sleep: Callable[[float], None] = time.sleep,
    by_proxy: bool = True,
) -> str:
    """Ask the server once and return the first characters of its answer.

    Args:
        key: of the server, from MODEL_API_KEY.
        by_proxy: whether through the proxy of the environment, if there is one.

    Raises:
        InsideError: exit code 2 for an address or protocol that is wrong, 4 for a key that is
            missing or refused, 5 for a server that lacks the model, refuses, fails or stalls throughout.
    """
    import httpx

    server = _Server(endpoint, model, key, sleep)
    headers = {"Authorization": f"Bearer {server.key or NO_KEY}"}
    try:
        # Only without a transport does it look for proxies.
        transport = None if by_proxy else httpx.HTTPTransport()
        asking = httpx.Client(headers=headers, timeout=server.wait, follow_redirects=True, transport=transport)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise server.at(f"cannot be asked by the proxy of the environment ({error})", ExitCode.CONFIGURATION) from error
    with asking as client:
        reply = _post(client, server)
        if reply.status_code != 200:
            raise _refusal(client, reply, server)
        return _answer(reply, server)


def request_body(endpoint: Endpoint, model: str) -> tuple[str, dict[str, Any]]:
    """Route and body of a request like HELM's (``_make_chat_raw_request``, ``_to_raw_completion_request``)."""
    common = {"model": endpoint.served_name(model), "temperature": 0.0, "max_tokens": _MAX_TOKENS, "n": 1, "top_p": 1}
    if endpoint.api == "chat":
        return "/chat/completions", {**common, "messages": [{"role": "user", "content": PROMPT}]}
    return "/completions", {**common, "prompt": PROMPT, "logprobs": 1, "best_of": 1, "echo": False}


def _post(client: Any, server: _Server) -> Any:
    """Send until there is an answer that is not 429 or 5xx, a few times at most."""
    import httpx

    route, body = request_body(server.endpoint, server.model)
    problem = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            server.sleep(2.0 ** (attempt - 1))
        try:
            reply = client.post(server.endpoint.base_url + route, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise server.at(f"no server answers there ({error})", ExitCode.CONFIGURATION) from error
        except httpx.TimeoutException as error:
            raise server.at(
                f"accepted the request but did not answer within {server.wait:g} s (MODEL_TIMEOUT)", ExitCode.API
            ) from error
        except (httpx.HTTPError, UnicodeError) as error:
            problem = f"{type(error).__name__}: {error}"
            continue
        if reply.status_code != 429 and reply.status_code < 500:
            return reply
        problem = f"HTTP {reply.status_code}: {_message(reply)}"
    raise server.at(f"{_ATTEMPTS} requests, no answer; the last: {problem}", ExitCode.API)


def _answer(reply: Any, server: _Server) -> str:
    try:
        choice = reply.json()["choices"][0]
        text = choice["message"]["content"] if server.endpoint.api == "chat" else choice["text"]
    except (ValueError, LookupError, TypeError) as error:
        problem = f"does not speak OpenAI's protocol; it answered {reply.text[:_SHOWN]!r}"
        raise server.at(problem, ExitCode.CONFIGURATION) from error
    if server.endpoint.api == "completions" and not choice.get("logprobs"):
        # HELM takes the tokens from there and fails on every answer without (_make_completion_request).
        raise server.at(
            "its completions lack logprobs, which HELM needs; make the server return them or set MODEL_API=chat",
            ExitCode.CONFIGURATION,
        )
    return " ".join(str(text or "").split())[:_SHOWN]


def _refusal(client: Any, reply: Any, server: _Server) -> InsideError:
    """Turn a refusal into what the user has to change."""
    if reply.status_code in (401, 403):
        state = "was refused" if server.key else "is not set, and the server asks for a key"
        return InsideError(
            f"{KEY_VARIABLE} {state} (MODEL_BASE_URL={server.endpoint.base_url}, HTTP {reply.status_code})",
            ExitCode.CREDENTIALS,
        )
    offered = _offered(client, server)
    name = server.endpoint.served_name(server.model)
    if offered and name not in offered:
        shown = ", ".join(offered[:10]) + (", …" if len(offered) > 10 else "")
        return _no_such_model(server, name, f"{server.endpoint.base_url} has no such model; it offers {shown}")
    if reply.status_code == 404 and (offered is not None or name in _message(reply)):
        return _no_such_model(server, name, f"the server answers HTTP 404: {_message(reply)}")
    if reply.status_code == 404:
        hint = "" if server.endpoint.base_url.endswith("/v1") else "; most servers' addresses end with /v1"
        route = request_body(server.endpoint, server.model)[0]
        return server.at(f"nothing at {route} (HTTP 404: {_message(reply)}){hint}", ExitCode.CONFIGURATION)
    return server.at(f"refused the request, HTTP {reply.status_code}: {_message(reply)}", ExitCode.CONFIGURATION)


def _no_such_model(server: _Server, name: str, problem: str) -> InsideError:
    """The API is there and refuses: a server that has not loaded its model yet says the same."""
    return server.error("MODEL_NAME_ON_SERVER", name, problem, ExitCode.API)


def _offered(client: Any, server: _Server) -> Optional[list[str]]:
    """Names of the models the server lists; ``None`` if it lists none at that address."""
    import httpx

    try:
        reply = client.get(f"{server.endpoint.base_url}/models")
        return [str(item["id"]) for item in reply.json()["data"]]
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None


def _message(reply: Any) -> str:
    """The server's own words, in whichever of the usual places they are."""
    try:
        body = reply.json()
        found = body.get("error", body) if isinstance(body, dict) else body
        text = found.get("message", found) if isinstance(found, dict) else found
    except ValueError:
        text = reply.text
    return " ".join(str(text).split())[:200]
