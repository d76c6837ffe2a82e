"""Simulated models: they solve the smoke leaderboard's tasks from the prompt alone, and err as told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}
_NUMBER = re.compile(r"\d+")

# Share of questions that each model answers rightly.
SKILL = {"strong": 0.95, "good": 0.85, "middling": 0.75, "fair": 0.62, "weak": 0.5, "poor": 0.25}


def answer(prompt: str, body: Mapping[str, Any], index: int) -> str:
    """The model's answer; ``flipped-<model>`` is that model with 3 % of its answers the other way."""
    model = str(body["model"])
    flipped = model.startswith("flipped-")
    name = model.removeprefix("flipped-")
    right = _share(f"{name} {prompt}") < SKILL[name]
    if flipped and _share(f"flip {prompt}") < 0.03:
        right = not right
    solution = solve(prompt)
    return solution if right else _wrong(solution)


def solve(prompt: str) -> str:
    """The right answer to the last question of a prompt."""
    question = prompt.rstrip().rpartition("\n\n")[2]
    if question.startswith("Question:"):
        return "A" if _parity(question) == "Even" else "B"
    if question.startswith("Number:"):
        return _parity(question)
    if question.startswith("Rules:\n"):
        return _deduce(question)
    if question.startswith("Rules:"):
        return _substitute(question) if "Substitutions:" in question else _find_rule(question)
    return _close(prompt.rstrip().rpartition("\n")[2])


def _parity(question: str) -> str:
    match = _NUMBER.search(question)
    assert match is not None
    return "Odd" if int(match.group()) % 2 else "Even"


def _close(sequence: str) -> str:
    open_: list[str] = []
    for symbol in sequence.split():
        if symbol in _CLOSING:
            open_.append(_CLOSING[symbol])
        elif open_ and symbol in _CLOSING.values():
            open_.pop()
    return " " + " ".join(reversed(open_))


def _substitute(question: str) -> str:
    rule, _, rest = question.partition("Rules:")[2].partition("|")
    for variable, value in re.findall(r'(\w) by " ([^"]*) "', rest):
        rule = " ".join(value if word == variable else word for word in rule.split())
    return rule.strip()


def _find_rule(question: str) -> str:
    rules, _, result = question.partition("Rules:")[2].partition("Result:")
    words = result.splitlines()[0].strip()
    for rule in (text.strip() for text in rules.split("|")):
        seen: set[str] = set()
        parts = []
        for symbol in rule.split():
            if symbol in "XYZ":
                parts.append(f"(?P={symbol})" if symbol in seen else f"(?P<{symbol}>.+?)")
                seen.add(symbol)
            else:
                parts.append(re.escape(symbol))
        if rule and re.fullmatch(" ".join(parts), words):
            return rule
    return "no rule"


def _deduce(question: str) -> str:
    fact = re.search(r"Fact:\n(.*?) is (.*)\.", question)
    assert fact is not None
    known = set(fact.group(2).split(" and "))
    for conditions, found in re.findall(r"^If \S+(?: \S+)? is (.*), then .* is (.*)\.$", question, re.MULTILINE):
        wanted = re.split(r" and | or ", conditions)
        if (any if " or " in conditions else all)(word in known for word in wanted):
            return f"{fact.group(1)} is {found}."
    return "Nothing."


def _wrong(solution: str) -> str:
    others = {"A": "B", "B": "A", "Even": "Odd", "Odd": "Even"}
    return others.get(solution, "none of these")


def _share(text: str) -> float:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
