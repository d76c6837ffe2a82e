"""What the test server answers: text computed from the prompt, in OpenAI's response formats.

The fields are those that HELM's OpenAIClient and OpenAILegacyCompletionsClient read
(helm/clients/openai_client.py, 0.5.16).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

_OPTION = re.compile(r"^\(?([A-J])[.)]\s", re.MULTILINE)
_TOKEN = re.compile(r"\s*\S+|\s+")


def prompt_of(body: Mapping[str, Any]) -> str:
    """The text of a chat's messages, or of the prompt of a completion or response."""
    if "messages" not in body:
        prompt = body.get("prompt") or body.get("input") or ""
        return prompt if isinstance(prompt, str) else "".join(map(str, prompt))
    parts = []
    for message in body["messages"]:
        content = message.get("content") or ""
        if isinstance(content, str):
            parts.append(content)
        else:
            parts += [part.get("text", f"[{part.get('type')}]") for part in content]
    return "\n".join(parts)


def plausible_answer(prompt: str, body: Mapping[str, Any], index: int) -> str:
    """A letter where the prompt's last question offers options, else some of the prompt's own words."""
    digest = int(hashlib.sha256(f"{index}:{prompt}".encode()).hexdigest(), 16)
    letters = list(dict.fromkeys(_OPTION.findall(prompt[-4000:])))
    if len(letters) > 1:
        return letters[digest % len(letters)]
    words = prompt.split() or ["nothing"]
    start = digest % len(words)
    return " ".join(words[start : start + 1 + digest // len(words) % 5])


def chat_response(key: str, prompt: str, body: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """A chat.completion object."""
    cut = [_cut(text, body) for text in texts]
    return {
        "id": f"chatcmpl-{key[-16:]}",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model"),
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": reason,
            }
            for index, (text, reason) in enumerate(cut)
        ],
        "usage": _usage(prompt, cut),
    }


def completion_response(key: str, prompt: str, body: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """A text_completion object; with ``echo`` the prompt's tokens and their log probabilities come first."""
    cut = [_cut(text, body) for text in texts]
    shown = prompt if body.get("echo") else ""
    return {
        "id": f"cmpl-{key[-16:]}",
        "object": "text_completion",
        "created": 0,
        "model": body.get("model"),
        "choices": [
            {
                "index": index,
                "text": shown + text,
                "logprobs": _logprobs(shown, text) if body.get("logprobs") is not None else None,
                "finish_reason": reason,
            }
            for index, (text, reason) in enumerate(cut)
        ],
        "usage": _usage(prompt, cut),
    }


def responses_response(key: str, prompt: str, body: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """A response object, as HELM's OpenAIResponseClient reads (helm/clients/openai_responses_client.py, 0.5.16)."""
    text, reason = _cut(texts[0], body)
    usage = _usage(prompt, [(text, reason)])
    content = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": f"resp_{key[-16:]}",
        "object": "response",
        "created_at": 0,
        "model": body.get("model"),
        "status": "completed" if reason == "stop" else "incomplete",
        "output": [
            {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed", "content": [content]},
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        },
    }


def _cut(text: str, body: Mapping[str, Any]) -> tuple[str, str]:
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.partition(stop)[0]
    limit = body.get("max_completion_tokens") or body.get("max_output_tokens") or body.get("max_tokens")
    if "messages" not in body and body.get("max_tokens") == 0:
        return "", "length"
    tokens = _TOKEN.findall(text)
    if limit is not None and len(tokens) > limit:
        return "".join(tokens[:limit]), "length"
    return text, "stop"


def _logprobs(echoed: str, text: str) -> dict[str, Any]:
    tokens = _TOKEN.findall(echoed) + _TOKEN.findall(text)
    offsets = [0]
    for token in tokens:
        offsets.append(offsets[-1] + len(token))
    probabilities: list[Any] = [-(int(hashlib.sha256(token.encode()).hexdigest(), 16) % 500) / 100 for token in tokens]
    if echoed:
        probabilities[0] = None  # as OpenAI does: nothing precedes the first token of the prompt
    return {
        "tokens": tokens,
        "token_logprobs": probabilities,
        "top_logprobs": [None if p is None else {t: p} for t, p in zip(tokens, probabilities, strict=True)],
        "text_offset": offsets[:-1],
    }


def _usage(prompt: str, cut: Sequence[tuple[str, str]]) -> dict[str, int]:
    prompt_tokens = len(_TOKEN.findall(prompt))
    completion_tokens = sum(len(_TOKEN.findall(text)) for text, _ in cut)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
