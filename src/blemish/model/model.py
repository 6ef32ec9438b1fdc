"""A detector as changes see it: its memory as tables, its thresholds and its journal; and the way back.

What a change takes out of the memory is kept (model/journal.py), so that undoing it restores every bit.
"""

import datetime
import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.calibration.held_out import HeldOut
from blemish.calibration.thresholds import Calibration
from blemish.errors import DataError
from blemish.images.training_image import TrainingImage
from blemish.memory.candidates import Candidates
from blemish.methods.method import Method
from blemish.methods.patchcore import PatchCore
from blemish.model.journal import Edit, Steps, apply, read_journal, undo
from blemish.model.manifest import Change, ModelManifest
from blemish.model.tables import Table

__all__ = ["NOTHING", "Model", "changed", "read_history", "recalibrated", "undone", "with_rows"]

NOTHING: Ints = np.empty(0, np.int64)
"""No rows, or no images."""


@dataclass(frozen=True)
class Model:
    """What a change changes of a detector."""

    manifest: ModelManifest
    method: Method
    held_out: HeldOut
    history: Mapping[int, Steps]
    """What each change took out, by its number in the journal."""

    @property
    def learns(self) -> bool:
        """Whether its memory can change; its thresholds always can."""
        return isinstance(self.method, PatchCore) and self.manifest.settings.tile_banks == "one"

    @property
    def memory(self) -> PatchCore:
        """The method of a model that learns."""
        assert isinstance(self.method, PatchCore), "ask whether it learns"
        return self.method

    @cached_property
    def tables(self) -> dict[str, Table]:
        """What can change, as tables, by the names that their tensors begin with."""
        held_out = self.held_out
        tables: dict[str, Table] = {
            "calibration": {"image": held_out.image_M, "scores": held_out.scores_M, "peaks": held_out.peaks_M}
        }
        if not self.learns:
            return tables
        bank, candidates = self.memory.bank, self.memory.candidates
        return {
            "bank": {"rows": bank.rows_KD, "image": bank.image_K, "cell": bank.cell_K, "radii": bank.radii_K},
            "candidates": {"rows": candidates.rows_CD, "image": candidates.image_C, "cell": candidates.cell_C},
            **tables,
        }

    @cached_property
    def candidates_nearest(self) -> tuple[Floats, Ints]:
        """How far each candidate is from the bank (C), and the number of its nearest row (C)."""
        rows_CD = np.asarray(self.memory.candidates.rows_CD, np.float32)
        if not len(rows_CD):
            return np.empty(0, np.float32), NOTHING
        distances_C1, nearest_C1 = self.memory.search.query(rows_CD)
        return distances_C1[:, 0], nearest_C1[:, 0]

    def of_tables(self, tables: Mapping[str, Table], manifest: ModelManifest, history: Mapping[int, Steps]) -> "Model":
        """The model that these tables make."""
        held_out = HeldOut(*(tables["calibration"][column] for column in ("image", "scores", "peaks")))
        if all(tables[name] is table for name, table in self.tables.items() if name != "calibration"):
            return Model(manifest, self.method, held_out, history)
        candidates = Candidates(*(tables["candidates"][column] for column in ("rows", "image", "cell")))
        return Model(manifest, with_rows(self.memory, tables["bank"]).keeping(candidates), held_out, history)


def changed(
    model: Model,
    kind: Literal["add", "remove", "calibrate"],
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
    listed = manifest.images if kind == "remove" else images
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
        wanted=calibration.wanted if kind == "calibrate" else None,
    )
    update = {"images": images, "calibration": calibration, "journal": [*manifest.journal, change]}
    history = {**model.history, len(manifest.journal): steps}
    return model.of_tables(tables, manifest.model_copy(update=update), history)


def recalibrated(
    model: Model, new: Sequence[TrainingImage], held_out: HeldOut, calibration: Calibration, who: str | None
) -> Model:
    """The model with thresholds that rest on these scores; `new` are images it did not list, but `held_out` counts."""
    first = len(model.manifest.images)
    scores = {"image": held_out.image_M, "scores": held_out.scores_M, "peaks": held_out.peaks_M}
    edits: dict[str, Edit] = {"calibration": (np.arange(len(model.held_out.image_M)), scores)}
    images = [*model.manifest.images, *new]
    return changed(model, "calibrate", edits, images, np.arange(first, len(images)), calibration, who)


def undone(model: Model) -> Model:
    """The model before its last change, bit for bit. Raises DataError where there is none."""
    manifest = model.manifest
    if not manifest.journal:
        raise DataError("Nothing was changed since the model was fitted, so there is nothing to undo.")
    change, number = manifest.journal[-1], len(manifest.journal) - 1
    left = np.array(change.numbers if change.change == "remove" else [], np.int64)
    tables = undo(model.tables, model.history[number], left, len(manifest.images) + len(left))
    if change.change == "remove":
        images = list(manifest.images)
        for place, image in zip(change.numbers, change.images, strict=True):
            images.insert(place, image)
    else:
        images = manifest.images[: len(manifest.images) - len(change.images)]
    update = {"images": images, "calibration": change.before, "journal": manifest.journal[:-1]}
    history = {each: steps for each, steps in model.history.items() if each != number}
    return model.of_tables(tables, manifest.model_copy(update=update), history)


def read_history(model: Model, tensors: Mapping[str, Array]) -> dict[int, Steps]:
    """What the changes in the journal took out, from the tensors of the model file."""
    return read_journal(tensors, model.tables, [change.added for change in model.manifest.journal])


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
