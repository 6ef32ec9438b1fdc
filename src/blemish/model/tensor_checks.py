"""Whether the tensors of a model file are those that its manifest and its method speak of."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from blemish.arrays import Array
from blemish.errors import ModelFileError
from blemish.methods.method import TensorKind
from blemish.model.journal import TAKEN_AT, Steps
from blemish.model.manifest import ModelManifest
from blemish.model.model import Model, read_history, tensor_sha256
from blemish.model.records import IMAGES, journal_images
from blemish.scoring.score import RINGS

__all__ = [
    "JOURNAL",
    "check_hashes",
    "check_missing",
    "check_numbers",
    "check_old_hashes",
    "check_sizes",
    "check_tensor",
    "checked_history",
    "kind_of",
]

OPTIONAL = ("bank.radius", "bank.scale", "edges.scale", "look.scale", "look.peaks", "look.overall", "candidates")
"""Six tensors, and a table of them, that a model may do without, at each look."""
LENGTHS = {
    "edges.scale": RINGS + 1,
    "look.scale": 2,
    "look.peaks": 2,
    "look.overall": 1,
    "bank.radius": 1,
    "encoder.stages": 1,
}
"""Of tensors that have always the same."""
JOURNAL = "journal."
"""How those begin that changes have taken out (model/journal.py)."""
POSITIVE = ("bank.scale", "edges.scale", "gallery.deviation")
"""Something is divided by all of these."""
NOT_NEGATIVE = ("look.overall", "bank.radii", "bank.radius")


def check_missing(name: str, kinds: Mapping[str, TensorKind], there: Iterable[str]) -> None:
    """Raise ModelFileError for a tensor that a model cannot do without."""
    begun = {each.partition(".")[0] for each in there}
    for each in sorted(kinds.keys() - set(there)):
        table = each.partition(".")[0]
        if _of_any_look(each) not in OPTIONAL and (_of_any_look(table) not in OPTIONAL or table in begun):
            raise ModelFileError(f"{name} is damaged: tensor {each} is missing.")


def kind_of(file: str, name: str, kinds: Mapping[str, TensorKind], manifest: ModelManifest) -> TensorKind:
    """The kind of a tensor of the journal: that of TABLE.COLUMN, or of places in the table, or of images."""
    number, _, column = name.removeprefix(JOURNAL).partition(".")
    if number.isascii() and number.isdecimal() and int(number) < len(manifest.journal):
        if name == journal_images(int(number)):
            return kinds[IMAGES]
        table = column.partition(".")[0]
        if manifest.journal[int(number)].taken.get(table) and (column == f"{table}.{TAKEN_AT}" or column in kinds):
            return kinds.get(column, (np.int64, "t"))
    raise ModelFileError(f"{file} is damaged: it holds a tensor {name}, which no change of a model writes.")


def check_hashes(file: str, hashes: Any, tensors: Mapping[str, Array]) -> None:
    """Raise ModelFileError unless the tensors are those of the manifest's field sha256, all of them and no others."""
    if not isinstance(hashes, dict):
        raise ModelFileError(f"{file} cannot be used: field sha256 of its manifest must name all tensors.")
    if odd := sorted(hashes.keys() ^ tensors.keys()):
        which = "missing" if odd[0] in hashes else "not in its manifest"
        raise ModelFileError(f"{file} is damaged: tensor {odd[0]} is {which}.")
    for name, tensor in tensors.items():
        if hashes[name] != tensor_sha256(tensor):
            raise ModelFileError(f"{file} is damaged: the sha256 of tensor {name} does not match its manifest.")


def check_old_hashes(file: str, manifest: ModelManifest, tensors: Mapping[str, Array]) -> None:
    """The same for files of formats 1 and 2, which have the sha256 of each tensor's bytes alone."""
    for name, tensor in tensors.items():
        if manifest.sha256.get(name) != hashlib.sha256(tensor.tobytes()).hexdigest():
            raise ModelFileError(f"{file} is damaged: the sha256 of tensor {name} does not match its manifest.")


def check_tensor(file: str, name: str, tensor: Array, wanted: TensorKind) -> None:
    """Type, axes and values of one tensor."""
    kind, axes = wanted
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if tensor.dtype not in kinds or tensor.ndim != len(axes) or 0 in tensor.shape:
        types = " or ".join(str(np.dtype(each)) for each in kinds)
        raise ModelFileError(
            f"{file} is damaged: tensor {name} is {tensor.dtype} of shape {tensor.shape}; "
            f"it must be {types} with {len(axes)} axes, none of them empty."
        )
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise ModelFileError(f"{file} is damaged: tensor {name} holds NaN or infinity.")
    known = _of_any_look(name)
    if len(tensor) != LENGTHS.get(known, len(tensor)):
        raise ModelFileError(f"{file} is damaged: tensor {name} has {len(tensor)} numbers, not {LENGTHS[known]}.")
    if (known in POSITIVE and tensor.min() <= 0) or (known in ("look.scale", "look.peaks") and tensor[1] <= 0):
        raise ModelFileError(f"{file} is damaged: tensor {name} holds {tensor.min():g}; something is divided by it.")
    if known in NOT_NEGATIVE and tensor.min() < 0:
        raise ModelFileError(f"{file} is damaged: tensor {name} holds {tensor.min():g}; it must not be negative.")


def _of_any_look(name: str) -> str:
    """The name that a tensor, or a table, has at the first look."""
    table, dot, column = name.partition(".")
    return table.rstrip("0123456789") + dot + column


def check_sizes(file: str, tensors: Mapping[str, Array], kinds: Mapping[str, TensorKind]) -> None:
    """Axes of one letter have one length."""
    lengths: dict[str, int] = {}
    for name in [name for name in kinds if name in tensors]:
        for axis, length in zip(kinds[name][1], tensors[name].shape, strict=True):
            if length != lengths.setdefault(axis, length):
                raise ModelFileError(f"{file} is damaged: tensor {name} has {length} {axis}, not {lengths[axis]}.")


def check_numbers(file: str, images: int, cells: Sequence[int], tensors: Mapping[str, Array]) -> None:
    """Training images and cells that tensors name are there; `cells` has the number of each grid of the graph."""
    for name, tensor in tensors.items():
        table, _, column = name.partition(".")
        if column not in ("image", "cell") or name.startswith(JOURNAL):
            continue
        # bank1.cell and level1.cell are about the graph's second grid.
        number = int(table[len(table.rstrip("0123456789")) :] or 0)
        limit = images if column == "image" else cells[min(number, len(cells) - 1)]
        lowest, highest = int(tensor.min()), int(tensor.max())
        if lowest < 0 or highest >= limit:
            raise ModelFileError(
                f"{file} is damaged: tensor {name} names {lowest if lowest < 0 else highest}; "
                f"it must lie in 0 to {limit - 1}."
            )


def checked_history(file: str, model: Model, tensors: Mapping[str, Array]) -> Mapping[int, Steps]:
    """What it takes to undo the changes in the journal, from the last to the first.

    Raises ModelFileError where some of it is missing, or does not fit the tables as they were then.
    """
    journal, images = model.manifest.journal, len(model.manifest.images)
    if unknown := {table for change in journal for table in change.added.keys() - model.tables.keys()}:
        raise ModelFileError(f"{file} is damaged: its journal names a table {min(unknown)}, which it does not have.")
    history = read_history(model, tensors)
    rows = {name: len(next(iter(table.values()))) for name, table in model.tables.items()}
    for number, change in reversed(list(enumerate(journal))):
        images += len(change.images) if change.change == "remove" else -len(change.images)
        for table, step in history[number].items():
            taken_at, gone = step.taken_at, len(step.taken_at)
            if any(len(column) != change.taken.get(table) for column in (taken_at, *step.taken.values())):
                raise ModelFileError(f"{file} is damaged: what change {number} took out of {table} is not all there.")
            before = rows[table] - step.added + gone
            places, of_images = np.array([-1, *taken_at, before]), step.taken["image"]
            there = not gone or 0 <= of_images.min() <= of_images.max() < images
            if step.added > rows[table] or not (np.diff(places) > 0).all() or not there:
                raise ModelFileError(f"{file} is damaged: change {number} took rows of {table} that were not there.")
            rows[table] = before
    return history
