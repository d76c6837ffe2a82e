"""Our model among the published ones, in HELM's own leaderboard table.

The table is the first of a group with subgroups that has a mean win rate or a mean
score. Our row comes from the same table of our own suite, which HELM computed; it
takes the place of the published row of the same model, or is added. Win rates are then
computed anew over all rows, so an exact reproduction gives exactly the published one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from helm_repro.results.layout import Results
from helm_repro.results.matching import model_in
from helm_repro.results.statistics import win_rates

WIN_RATE = "Mean win rate"
MEAN_SCORE = "Mean score"
_AGGREGATES = (WIN_RATE, MEAN_SCORE)
_MODEL_HEADER = "Model"


@dataclasses.dataclass(frozen=True)
class Place:
    """One row; ``value`` is a mean win rate from 0 to 1, or a mean score. Ranks start at 1; ties share one."""

    rank: int
    name: str
    value: float
    ours: bool
    published: Optional[float]


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Our model's place among those published.

    Attributes:
        columns: how many of the table's columns both sides have; ``of`` how many the published table has.
    """

    model: str
    title: str
    measure: str
    places: tuple[Place, ...]
    columns: int
    of: int

    @property
    def own(self) -> Place:
        return next(place for place in self.places if place.ours)


@dataclasses.dataclass(frozen=True)
class _Row:
    name: str
    model: Optional[str]
    values: dict[str, Optional[float]]
    aggregates: dict[str, Optional[float]]


def rank(ours: Results, published: Results, model: str, counterpart: str) -> Optional[Ranking]:
    """Place our model; names as run names spell them.

    Returns:
        ``None`` where either side has no such table or no column in common.

    Raises:
        PublishedError: a table is not whole.
    """
    displayed = {**_displayed(ours), **_displayed(published)}
    for group in _parents(published.schema or ours.schema or {}):
        theirs = _leaderboard(published.tables(group))
        if theirs is None:
            continue
        mine = next((table for table in ours.tables(group) if table.get("name") == theirs.get("name")), None)
        own = next((row for row in _rows(mine or {}, displayed) if row.model == model), None)
        if own is None:
            continue
        found = _place(theirs, own, model, counterpart, displayed)
        if found:
            return found
    return None


def _place(
    table: Mapping[str, Any], own: _Row, model: str, counterpart: str, displayed: Mapping[str, str]
) -> Optional[Ranking]:
    measure = next(name for name in _AGGREGATES if name in _headers(table))
    better = {str(cell["value"]): cell.get("lower_is_better") for cell in table["header"]}
    columns = [name for name in _columns(table) if own.values.get(name) is not None]
    if not columns:
        return None
    rows = [row for row in _rows(table, displayed) if row.model != counterpart]
    previous = next((row for row in _rows(table, displayed) if row.model == counterpart), None)
    rows.append(dataclasses.replace(own, name=previous.name if previous else own.name))
    if measure == WIN_RATE:
        values = win_rates([([row.values.get(name) for row in rows], better[name]) for name in columns])
    else:
        values = [_mean([row.values.get(name) for name in columns]) for row in rows]
    scored = [(row, value) for row, value in zip(rows, values, strict=True) if value is not None]
    # 1e-12: a tie must not be decided by the order in which a sum was formed.
    places = []
    for row, value in scored:
        stands_for = previous if row is rows[-1] else row
        places.append(
            Place(
                rank=1 + sum(other > value + 1e-12 for _, other in scored),
                name=row.name,
                value=value,
                ours=row is rows[-1],
                published=stands_for.aggregates.get(measure) if stands_for else None,
            )
        )
    if not any(place.ours for place in places):
        return None
    places.sort(key=lambda place: (place.rank, not place.ours, place.name))
    return Ranking(model, str(table.get("title", "")), measure, tuple(places), len(columns), len(_columns(table)))


def _parents(schema: Mapping[str, Any]) -> list[str]:
    return [group["name"] for group in schema.get("run_groups", []) if group.get("subgroups")]


def _leaderboard(tables: Sequence[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    return next((table for table in tables if any(name in _headers(table) for name in _AGGREGATES)), None)


def _headers(table: Mapping[str, Any]) -> list[str]:
    return [str(cell.get("value")) for cell in table.get("header", [])]


def _columns(table: Mapping[str, Any]) -> list[str]:
    return [name for name in _headers(table) if name not in (_MODEL_HEADER, *_AGGREGATES)]


def _displayed(results: Results) -> dict[str, str]:
    """Display name -> model, for tables of older HELM, whose cells do not name their runs."""
    models = (results.schema or {}).get("models") or []
    return {str(model.get("display_name")): str(model["name"]).replace("/", "_") for model in models}


def _rows(table: Mapping[str, Any], displayed: Mapping[str, str]) -> list[_Row]:
    headers = _headers(table)
    found = []
    for cells in table.get("rows", []):
        pairs = list(zip(headers, cells, strict=True))
        runs = [name for cell in cells for name in cell.get("run_spec_names") or []]
        found.append(
            _Row(
                name=str(cells[0].get("value")),
                # Rows show a display name; the runs behind their cells hold the model's own.
                model=next(filter(None, map(model_in, runs)), displayed.get(str(cells[0].get("value")))),
                values={h: cell.get("value") for h, cell in pairs if h not in (_MODEL_HEADER, *_AGGREGATES)},
                aggregates={h: cell.get("value") for h, cell in pairs if h in _AGGREGATES},
            )
        )
    return found


def _mean(values: Sequence[Optional[float]]) -> Optional[float]:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
