"""Learn on the line: put rejected good images into the memory, and take others out of it.

Nothing is fitted again. Adding chooses patches of the new images, farthest first, until all of them lie as near to the
bank as the training images do, and no farther than the thresholds; removing takes an image's rows out and lets
candidates in (memory/candidates.py) until what they covered is covered again. The thresholds follow by their own rule.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.calibration.thresholds import Calibration, set_thresholds
from blemish.errors import DataError
from blemish.features.patches import ImagePatches, Look
from blemish.images.training_image import TrainingImage
from blemish.images.view import pixels_digest
from blemish.memory.candidates import NOWHERE, find_candidates
from blemish.memory.cover import cover
from blemish.memory.spill import PatchStore
from blemish.memory.training import TrainingPatches, gather
from blemish.methods.method import Learns, Scores
from blemish.model.journal import Edit, apply
from blemish.model.manifest import ModelManifest
from blemish.model.model import NOTHING, Model, changed, with_rows
from blemish.model.tables import Table
from blemish.system.stream import stream

__all__ = ["Seen", "added", "numbers_of", "removed"]


class Seen(NamedTuple):
    """An image that is to be added."""

    image: TrainingImage
    patches: ImagePatches

    @classmethod
    def of(cls, look: Look, name: str, part: str) -> "Seen":
        """An image that was looked at, and the part it shows."""
        view = look.view
        image = TrainingImage(
            path=name,
            group=part,
            height=view.image_height,
            width=view.image_width,
            pixels=pixels_digest(look.sized),
            motion=None if view.matrix is None else tuple(view.matrix.ravel().tolist()),
        )
        return cls(image, look.features["patches"])


def added(model: Model, seen: Sequence[Seen], *, who: str | None, threads: int) -> Model:
    """Put images into the memory. Raises DataError for those that are in the model already.

    Every image score, and every value of a map, is at most the image's largest patch distance: once all its patches are
    within the thresholds of the bank, an image is OK and shows no region. The thresholds themselves may come out lower
    for the images added; then more patches are.
    """
    manifest = model.manifest
    _refuse_known(manifest.images, [each.image for each in seen])
    first = len(manifest.images)
    images = [*manifest.images, *(each.image for each in seen)]
    patches = gather((each.patches for each in seen), len(seen), PatchStore)
    patches = replace(patches, image_N=patches.image_N + first)
    radius = min(model.memory.bank.radius, _limit(manifest.calibration))
    while True:
        grown = _grown(model, patches, images, radius, threads)
        unseen = _unseen_scores(grown, seen, first, threads)
        calibration = _thresholds(manifest, images, _joined(model.tables["calibration"], unseen))
        if _limit(calibration) >= radius:
            break
        radius = _limit(calibration)
    edits: dict[str, Edit] = {
        "bank": (NOTHING, _behind(grown.tables["bank"], model.tables["bank"])),
        "candidates": (NOTHING, _behind(grown.tables["candidates"], model.tables["candidates"])),
        "calibration": (NOTHING, unseen),
    }
    return changed(model, "add", edits, images, np.arange(first, len(images)), calibration, who)


def _limit(calibration: Calibration) -> float:
    """Patch distances up to here make no image REVIEW or NG, and no region."""
    return min(calibration.review_threshold, calibration.map_threshold)


def _grown(model: Model, patches: TrainingPatches, images: list[TrainingImage], radius: float, threads: int) -> Model:
    """The model with rows and candidates for these patches."""
    rows = _rows_to_add(model.memory, patches, radius, threads)
    bank = _joined(model.tables["bank"], rows)
    beside = _candidates_to_add(model, with_rows(model.memory, bank), patches, threads)
    tables = {**model.tables, "bank": bank, "candidates": _joined(model.tables["candidates"], beside)}
    return model.of_tables(tables, model.manifest.model_copy(update={"images": images}), model.history)


def _refuse_known(known: Sequence[TrainingImage], new: Sequence[TrainingImage]) -> None:
    path_of = {image.pixels: image.path for image in known if image.pixels}
    for image in new:
        if image.pixels in path_of:
            raise DataError(
                f"{image.path} shows the same pixels as {path_of[image.pixels]}, which is in the model already; leave "
                f"it out. Nothing was changed."
            )
        path_of[image.pixels] = image.path


def _unseen_scores(grown: Model, seen: Sequence[Seen], first: int, threads: int) -> Table:
    """What the new images score by a memory that has all images but those of their own part.

    None where the thresholds rest on parts kept from the memory for good: the new images are not of that kind, and a
    larger bank lets no good part score higher, so that the promise stands.
    """
    counted = seen if grown.manifest.calibration.mode == "cross" else []

    def score(each: Seen) -> Scores:
        return _without_part(grown, each.image.group).score({"patches": each.patches})

    answers = list(stream(score, counted, threads=threads))
    return {
        "image": np.arange(first, first + len(counted)),
        "scores": np.array([answer.image for answer in answers], np.float64),
        "peaks": np.array([answer.peak for answer in answers], np.float64),
    }


def _without_part(model: Model, group: str) -> Learns:
    """The memory without the images of one part; the whole one where that is all it knows."""
    leave = np.array([number for number, image in enumerate(model.manifest.images) if image.group == group])
    if np.isin(model.memory.bank.image_K, leave).all():
        return model.memory
    return with_rows(model.memory, apply(model.tables, _exchange(model, leave), NOTHING)[0]["bank"])


def _rows_to_add(method: Learns, patches: TrainingPatches, radius: float, threads: int) -> Table:
    """Patches that the bank needs so that all of these are within a radius of it."""
    bank = method.bank
    values_ND = np.asarray(patches.values_ND, np.float32)
    distances_N = method.search.query(values_ND, threads=threads)[0][:, 0]
    chosen = cover(values_ND, distances_N, max(0.0, radius - bank.rounding)).indices
    return {
        "rows": values_ND[chosen].astype(bank.rows_KD.dtype),
        "image": patches.image_N[chosen],
        "cell": patches.cell_N[chosen],
        "radii": np.full(len(chosen), bank.radii_K[-1]),
    }


def _candidates_to_add(model: Model, grown: Learns, patches: TrainingPatches, threads: int) -> Table:
    """What lets the memory let go of another image and still cover these; no more than the bank has rows in all."""
    room = len(grown.bank.image_K) - len(model.memory.candidates.image_C)
    most = max(0, room) if model.manifest.settings.removable else 0
    images = np.unique(patches.image_N).tolist()
    found = find_candidates(grown.bank, grown.search, patches, images, most=most, threads=threads)
    return {"rows": found.rows_CD, "image": found.image_C, "cell": found.cell_C}


def removed(model: Model, numbers: Ints, *, who: str | None) -> Model:
    """Take the images of these numbers (ascending) out of the memory. Raises DataError where too few would remain."""
    images = model.manifest.images
    remaining = [image for number, image in enumerate(images) if number not in set(numbers.tolist())]
    edits = _exchange(model, numbers)
    unseen = {name: np.delete(column, edits["calibration"][0], axis=0) for name, column in _unseen(model).items()}
    if not any(image.in_memory for image in remaining) or not len(unseen["image"]):
        raise DataError(f"Without these {len(numbers)} image(s) none would be left to learn from; fit a new model.")
    calibration = _thresholds(model.manifest, images, unseen)
    return changed(model, "remove", edits, remaining, numbers, calibration, who, left=numbers)


def _exchange(model: Model, leave: Ints) -> dict[str, Edit]:
    """Rows of some images leave the bank, and candidates enter until they cover each other again."""
    bank, candidates = model.tables["bank"], model.tables["candidates"]
    gone_K, gone_C = np.isin(bank["image"], leave), np.isin(candidates["image"], leave)
    pool = np.flatnonzero(~gone_C)
    rows_CD = np.asarray(candidates["rows"][pool], np.float32)
    distances_C, nearest_C = model.candidates_nearest
    distances_C, lost = distances_C[pool], np.flatnonzero(gone_K[nearest_C[pool]])
    stayed = {name: column[~gone_K] for name, column in bank.items()}
    distances_C[lost] = _distances(model.memory, stayed, rows_CD[lost])
    enter = pool[cover(rows_CD, distances_C, model.memory.bank.radius).indices]
    entering: dict[str, Array] = {name: candidates[name][enter] for name in ("rows", "image", "cell")}
    entering["rows"] = entering["rows"].astype(bank["rows"].dtype)
    entering["radii"] = np.full(len(enter), bank["radii"][-1])
    return {
        "bank": (np.flatnonzero(gone_K), entering),
        "candidates": (np.union1d(np.flatnonzero(gone_C), enter), _none_of(candidates)),
        "calibration": (np.flatnonzero(np.isin(_unseen(model)["image"], leave)), _none_of(_unseen(model))),
    }


def _distances(method: Learns, bank: Table, patches_ND: Floats) -> Floats:
    """How far patches are from the rows of a table; from none, they are infinitely far."""
    if not len(bank["rows"]) or not len(patches_ND):
        return np.full(len(patches_ND), NOWHERE, np.float32)
    return with_rows(method, bank).search.query(patches_ND)[0][:, 0]


def numbers_of(images: Sequence[TrainingImage], wanted: Sequence[str | os.PathLike[str] | int]) -> Ints:
    """The numbers of images, ascending, by numbers or names (as given at fit, or of the same file).

    Raises DataError for one that is not there.
    """
    numbers: set[int] = set()
    for each in wanted:
        if isinstance(each, int):
            found = {each} & set(range(len(images)))
        else:
            name = os.fspath(each)
            found = {n for n, image in enumerate(images) if image.path == name}
            found = found or {n for n, image in enumerate(images) if _same_file(image.path, name)}
        if not found:
            raise DataError(
                f"{each} is none of the {len(images)} images of the model, such as {images[0].path}; name them as they "
                f"were named then. Nothing was changed."
            )
        numbers |= found
    return np.array(sorted(numbers), np.int64)


def _same_file(path: str, name: str) -> bool:
    return os.path.abspath(path) == os.path.abspath(name)


def _thresholds(manifest: ModelManifest, images: Sequence[TrainingImage], unseen: Table) -> Calibration:
    """The thresholds by the model's own rule, from the scores there are now."""
    groups = [images[number].group for number in unseen["image"]]
    was = manifest.calibration
    return set_thresholds(unseen["scores"], unseen["peaks"], groups, was.wanted, mode=was.mode)


def _unseen(model: Model) -> Table:
    return model.tables["calibration"]


def _joined(table: Table, more: Table) -> Table:
    return {name: np.concatenate([column, more[name]]) for name, column in table.items()}


def _behind(table: Table, shorter: Table) -> Table:
    """The rows that were put behind those of a shorter table."""
    return {name: column[len(shorter[name]) :] for name, column in table.items()}


def _none_of(table: Table) -> Table:
    return {name: column[:0] for name, column in table.items()}
