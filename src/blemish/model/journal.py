"""What was changed in a memory after fitting, and the way back.

A memory is a few tables (model/tables.py): the rows of the bank, the candidates beside it, and the scores of images
it had not seen. A change touches all of them, or some; what it took out of them is kept, so that undoing it restores
every bit. In the model file a table is the tensors that begin with its name, and what change number i took out of it
begins with `journal.i.`.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from blemish.arrays import Array, Ints
from blemish.model.tables import Step, Table, change, revert

__all__ = [
    "TAKEN_AT",
    "Edit",
    "Steps",
    "Tables",
    "apply",
    "journal_tensors",
    "read_journal",
    "undo",
]

TAKEN_AT = "taken_at"
"""The column of places that rows were taken from."""

Tables: TypeAlias = Mapping[str, Table]
"""The tables of a memory by name; the column `image` of each names a training image by its number."""
Steps: TypeAlias = Mapping[str, Step]
"""What one change did to each table it touched."""
Edit: TypeAlias = tuple[Ints, Table]
"""Which rows to take out of a table, and which to put behind the others."""


def apply(tables: Tables, edits: Mapping[str, Edit], left: Ints) -> tuple[dict[str, Table], Steps]:
    """Change the tables that `edits` names, then number their images anew without those that left (`left`, ascending).

    The other tables stay; so images may only leave where all are named.
    """
    after = dict(tables)
    steps: dict[str, Step] = {}
    for name, edit in edits.items():
        changed, steps[name] = change(tables[name], *edit)
        after[name] = changed | {"image": changed["image"] - np.searchsorted(left, changed["image"])}
    return after, steps


def undo(tables: Tables, steps: Steps, left: Ints, images: int) -> dict[str, Table]:
    """The tables before a change: with that number of images, and with those in `left` still there."""
    before = dict(tables)
    stayed = np.delete(np.arange(images), left)
    for name, step in steps.items():
        numbered = {**tables[name], "image": stayed[tables[name]["image"]]}
        before[name] = revert(numbered, step)
    return before


def journal_tensors(history: Mapping[int, Steps]) -> dict[str, Array]:
    """What the numbered changes took out of the tables, as tensors of the model file."""
    return {
        f"journal.{number}.{name}.{column}": values
        for number, steps in history.items()
        for name, step in steps.items()
        if len(step.taken_at)
        for column, values in {TAKEN_AT: step.taken_at, **step.taken}.items()
    }


def read_journal(tensors: Mapping[str, Array], tables: Tables, added: Sequence[Mapping[str, int]]) -> dict[int, Steps]:
    """The way back from `journal_tensors`, with how many rows each change put behind each table it touched."""
    history: dict[int, Steps] = {}
    for number, counts in enumerate(added):
        steps = {}
        for name, count in counts.items():
            begin = f"journal.{number}.{name}."
            taken = {column: tensors.get(begin + column, values[:0]) for column, values in tables[name].items()}
            steps[name] = Step(tensors.get(begin + TAKEN_AT, np.empty(0, np.int64)), taken, count)
        history[number] = steps
    return history
