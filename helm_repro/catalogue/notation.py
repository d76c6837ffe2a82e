"""The compact notation of ``entries.yaml``.

A leaderboard's conf is mostly repetition: the 619 lines of one are 60 facts.
``entries.yaml`` states each fact once, in *blocks* that multiply out::

    entries:
      - run: "mmlu:model=text,eval_split=test,subject={subject}"
        groups: ["mmlu_{subject}"]
        priority: 4
        over:
          subject: {abstract_algebra: 2, anatomy: 3, astronomy: 4}
      - run: "unitxt:recipe=recipes.{task}.{form}"
        over:
          task: [fin_qa, wikitq]
          form: [csv, json]
      - run: "ruler_hotpotqa:max_num_words={words}"
        over:
          words: [4096, 131072]
      - run: "bold:subject={subject},model={model}"
        over:
          "subject model":            # placeholders that vary together
            - [gender, text]
            - [race, code]

``over`` multiplies its placeholders out; the first one written turns slowest.
A mapping instead of a list gives each value its own priority. A block without
``over`` is a single entry. Order is significant: HELM's file is equal entry by
entry and in order.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterator
from typing import Optional, Union

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Scalar = Union[str, int, float]
Row = Union[Scalar, list[Scalar]]

_PLACEHOLDER = re.compile(r"^[a-z][a-z0-9_]*$")


class RunEntry(BaseModel):
    """One run entry as HELM reads it (``helm.benchmark.presentation.run_entry.RunEntry``).

    ``priority`` and ``groups`` are ``None`` where HELM's file gives none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    priority: Optional[int] = None
    groups: Optional[tuple[str, ...]] = None


class Block(BaseModel):
    """A run entry, or a template that multiplies out to several."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    priority: Optional[int] = Field(default=None, ge=1, le=5)
    groups: Optional[list[str]] = None
    over: dict[str, Union[list[Row], dict[Scalar, int]]] = Field(default_factory=dict)

    @field_validator("over")
    @classmethod
    def _names_are_words(cls, over: dict[str, object]) -> dict[str, object]:
        for names in over:
            for name in names.split():
                if not _PLACEHOLDER.match(name):
                    raise ValueError(f"placeholder {name!r} must be lower-case letters, digits and _")
        if sum(isinstance(values, dict) for values in over.values()) > 1:
            raise ValueError("only one placeholder of a block may carry priorities")
        return over

    @model_validator(mode="after")
    def _placeholders_agree(self) -> Block:
        used = {
            field
            for text in (self.run, *(self.groups or []))
            for _, field, _, _ in string.Formatter().parse(text)
            if field is not None
        }
        given = {name for names in self.over for name in names.split()}
        if used != given:
            raise ValueError(f"placeholders used {sorted(used)} and given in over {sorted(given)} differ")
        for names, rows in self.over.items():
            width = len(names.split())
            for row in rows:
                if (len(row) if isinstance(row, list) else 1) != width:
                    raise ValueError(f"over {names!r}: {row!r} must have {width} value(s)")
        return self

    def expand(self) -> Iterator[RunEntry]:
        """Yield the block's run entries in file order."""
        for combination in itertools.product(*(_axis(names, rows) for names, rows in self.over.items())):
            values: dict[str, Scalar] = {}
            priority = self.priority
            for axis_values, axis_priority in combination:
                values.update(axis_values)
                priority = axis_priority if axis_priority is not None else priority
            yield RunEntry(
                description=self.run.format(**values),
                priority=priority,
                groups=None if self.groups is None else tuple(g.format(**values) for g in self.groups),
            )


def _axis(names: str, rows: Union[list[Row], dict[Scalar, int]]) -> list[tuple[dict[str, Scalar], Optional[int]]]:
    words = names.split()
    if isinstance(rows, dict):
        return [({words[0]: value}, priority) for value, priority in rows.items()]
    return [(dict(zip(words, row if isinstance(row, list) else [row], strict=True)), None) for row in rows]


class Entries(BaseModel):
    """A whole ``entries.yaml``. ``lists`` only holds YAML anchors that blocks refer to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lists: dict[str, Union[list[Row], dict[Scalar, int]]] = Field(default_factory=dict)
    entries: list[Block] = Field(min_length=1)

    def expand(self) -> list[RunEntry]:
        """Return every run entry in file order."""
        return [entry for block in self.entries for entry in block.expand()]
