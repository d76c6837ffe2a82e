"""The compact notation multiplies out in the order in which it is written."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from helm_repro.catalogue.notation import Entries


def expand(*blocks):
    return [(e.description, e.priority, e.groups) for e in Entries.model_validate({"entries": list(blocks)}).expand()]


def test_products_turn_the_first_placeholder_slowest():
    got = expand({"run": "s:a={a},b={b}", "over": {"a": [1, 2], "b": ["x", "y"]}})
    assert [description for description, _, _ in got] == ["s:a=1,b=x", "s:a=1,b=y", "s:a=2,b=x", "s:a=2,b=y"]


def test_a_mapping_gives_each_value_its_priority_and_groups_are_filled_in():
    got = expand({"run": "m:s={s}", "groups": ["m_{s}"], "priority": 4, "over": {"s": {"p": 2, "q": 3}}})
    assert got == [("m:s=p", 2, ("m_p",)), ("m:s=q", 3, ("m_q",))]


def test_placeholders_may_vary_together():
    got = expand({"run": "{a}:x={b}", "over": {"a b": [["s", 1], ["t", 2]]}})
    assert got == [("s:x=1", None, None), ("t:x=2", None, None)]


@pytest.mark.parametrize(
    "block",
    [
        {"run": "s:a={a}"},
        {"run": "s", "over": {"a": [1]}},
        {"run": "s:a={a},b={b}", "over": {"a b": [[1]]}},
        {"run": "s", "priority": 9},
        {"run": "s", "prioritty": 1},
    ],
)
def test_mistakes_are_refused(block):
    with pytest.raises(ValidationError):
        expand(block)
