"""Change tables of rows, and take a change back bit for bit.

A table is a set of arrays of one length, row by row belonging together. A change takes some rows out and puts others
behind those that stay; its Step remembers what it takes to go back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from blemish.arrays import Array, Ints

__all__ = ["Step", "Table", "change", "revert"]

Table: TypeAlias = Mapping[str, Array]
"""Columns by name, all of one length."""


@dataclass(frozen=True)
class Step:
    """What a change did to a table."""

    taken_at: Ints
    """Where the rows taken out were, ascending."""
    taken: Table
    added: int
    """How many rows were put behind the others."""


def change(table: Table, take: Ints, add: Table) -> tuple[dict[str, Array], Step]:
    """Take out the rows at these places, and put the rows of `add` behind the others."""
    taken_at = np.unique(take)
    changed = {name: np.concatenate([np.delete(column, taken_at, axis=0), add[name]]) for name, column in table.items()}
    taken = {name: column[taken_at] for name, column in table.items()}
    return changed, Step(taken_at, taken, len(next(iter(add.values()))))


def revert(table: Table, step: Step) -> dict[str, Array]:
    """The table as it was before the step."""
    before = {}
    # numpy.insert counts places in the array as it was before anything was inserted.
    gaps = step.taken_at - np.arange(len(step.taken_at))
    for name, column in table.items():
        stayed = column[: len(column) - step.added]
        before[name] = np.insert(stayed, gaps, step.taken[name], axis=0)
    return before
