"""A detector as changes see it: its memory as tables, its thresholds and its journal; and the way back.

What a change takes out of the memory is kept (memory/journal.py), so that undoing it restores every bit.
"""

import datetime
import getpass
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.errors import DataError
from blemish.memory.candidates import Candidates
from blemish.memory.changes import Table
from blemish.memory.journal import Edit, Steps, apply, read_journal, undo
from blemish.memory.store import Change, ModelManifest, TrainingImage
from blemish.patchcore import PatchCore
from blemish.scoring.calibrate import Calibration, HeldOut

__all__ = ["NOTHING", "Model", "changed", "read_history", "undone", "with_rows"]

NOTHING: Ints = np.empty(0, np.int64)
"""No rows, or no images."""


@dataclass(frozen=True)
class Model:
    """What a change changes of a detector."""

    manifest: ModelManifest
    method: PatchCore
    held_out: HeldOut
    history: Mapping[int, Steps]
    """What each change that can be undone took out, by its number in the journal."""

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The memory as tables, by the names that their tensors begin with."""
        bank, candidates, held_out = self.method.bank, self.method.candidates, self.held_out
        return {
            "bank": {"rows": bank.rows_KD, "image": bank.image_K, "cell": bank.cell_K, "radii": bank.radii_K},
            "candidates": {"rows": candidates.rows_CD, "image": candidates.image_C, "cell": candidates.cell_C},
            "calibration": {"image": held_out.image_M, "scores": held_out.scores_M, "peaks": held_out.peaks_M},
        }

    @cached_property
    def candidates_nearest(self) -> tuple[Floats, Ints]:
        """How far each candidate is from the bank (C), and the number of its nearest row (C)."""
        rows_CD = np.asarray(self.method.candidates.rows_CD, np.float32)
        if not len(rows_CD):
            return np.empty(0, np.float32), NOTHING
        distances_C1, nearest_C1 = self.method.search.query(rows_CD)
        return distances_C1[:, 0], nearest_C1[:, 0]

    def of_tables(self, tables: Mapping[str, Table], manifest: ModelManifest, history: Mapping[int, Steps]) -> "Model":
        """The model that these tables make."""
        candidates = Candidates(*(tables["candidates"][column] for column in ("rows", "image", "cell")))
        held_out = HeldOut(*(tables["calibration"][column] for column in ("image", "scores", "peaks")))
        return Model(manifest, with_rows(self.method, tables["bank"]).keeping(candidates), held_out, history)


def changed(
    model: Model,
    kind: Literal["add", "remove"],
    edits: Mapping[str, Edit],
    images: list[TrainingImage],
    numbers: Ints,
    calibration: Calibration,
    who: str | None,
    *,
    left: Ints = NOTHING,
) -> Model:
    """Carry a change out and write it into the journal."""
    tables, steps = apply(model.tables, edits, left)
    manifest = model.manifest
    listed = images if kind == "add" else manifest.images
    change = Change(
        change=kind,
        when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        who=who or _user(),
        images=[listed[number] for number in numbers],
        numbers=numbers.tolist(),
        added={name: step.added for name, step in steps.items()},
        taken={name: len(step.taken_at) for name, step in steps.items()},
        before=manifest.calibration,
        threshold=calibration.threshold,
    )
    update = {"images": images, "calibration": calibration, "journal": [*manifest.journal, change]}
    history = {**model.history, len(manifest.journal): steps}
    return model.of_tables(tables, manifest.model_copy(update=update), history)


def undone(model: Model) -> Model:
    """The model before its last change, bit for bit. Raises DataError where there is none, or none to undo."""
    manifest = model.manifest
    if not manifest.journal:
        raise DataError("Nothing was changed since the model was fitted, so there is nothing to undo.")
    change, number = manifest.journal[-1], len(manifest.journal) - 1
    if number not in model.history:
        raise DataError(
            f"The last change ({change.change}, {change.when}) cannot be undone: the thresholds were set anew after it."
        )
    left = np.array(change.numbers if change.change == "remove" else [], np.int64)
    tables = undo(model.tables, model.history[number], left, len(manifest.images) + len(left))
    images = list(manifest.images)
    if change.change == "add":
        del images[-len(change.images) :]
    for place, image in zip(change.numbers, change.images, strict=True) if change.change == "remove" else ():
        images.insert(place, image)
    update = {"images": images, "calibration": change.before, "journal": manifest.journal[:-1]}
    history = {each: steps for each, steps in model.history.items() if each != number}
    return model.of_tables(tables, manifest.model_copy(update=update), history)


def read_history(model: Model, tensors: Mapping[str, Array]) -> dict[int, Steps]:
    """What the changes in the journal took out, from the tensors of the model file; without those that are final."""
    journal = model.manifest.journal
    steps = read_journal(tensors, model.tables, [change.added for change in journal])
    return {number: steps[number] for number, change in enumerate(journal) if not change.final}


def with_rows(method: PatchCore, bank: Table) -> PatchCore:
    """The method with other rows in its bank, and no candidates."""
    return method.over(
        replace(method.bank, rows_KD=bank["rows"], image_K=bank["image"], cell_K=bank["cell"], radii_K=bank["radii"])
    )


def _user() -> str:
    """Who is at work, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
