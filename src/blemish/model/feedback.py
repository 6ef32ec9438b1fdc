"""Learn on the line: put rejected good images into the memory, and take others out of it.

Nothing is fitted again. Adding chooses patches of the new images, farthest first, until all of them lie as near to the
bank as the training images do, and no farther than the thresholds; removing takes an image's rows out and lets
candidates in (memory/candidates.py) until what they covered is covered again. The thresholds follow by their own rule.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from blemish.arrays import Ints
from blemish.calibration.thresholds import Calibration, set_thresholds
from blemish.errors import DataError
from blemish.features.looks import grid_names
from blemish.features.patches import Features, Look
from blemish.images.training_image import TrainingImage
from blemish.images.transform import pixels_digest
from blemish.memory.spill import PatchStore
from blemish.memory.training import TrainingPatches, gather
from blemish.methods.method import Learns, Scores
from blemish.model.feedback_look import behind, exchange, grown, joined, none_of
from blemish.model.journal import Edit, apply
from blemish.model.manifest import ModelManifest
from blemish.model.model import NOTHING, Model, changed, with_rows
from blemish.model.tables import Table
from blemish.system.stream import stream

__all__ = ["Seen", "added", "numbers_of", "removed"]


class Seen(NamedTuple):
    """An image that is to be added."""

    image: TrainingImage
    features: Features
    """Its patches, by the names of the looks' grids."""

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
            end=view.end,
            measured=view.measured,
            motion=None if view.matrix is None else tuple(view.matrix.ravel().tolist()),
        )
        return cls(image, look.features)


def added(model: Model, seen: Sequence[Seen], *, who: str | None, threads: int) -> Model:
    """Put images into the memory. Raises DataError for those that are in the model already.

    The peak of each look's map is at most the image's largest patch distance there: once all its patches are near
    enough to the banks, an image is OK and shows no region. The thresholds themselves may come out lower for the images
    added; then more patches are.
    """
    manifest = model.manifest
    _refuse_known(manifest.images, [each.image for each in seen])
    first = len(manifest.images)
    images = [*manifest.images, *(each.image for each in seen)]
    patches = [_gathered(seen, name, first) for name in grid_names(len(model.memory.looks))]
    limit = _limit(model, manifest.calibration)
    while True:
        after = _grown(model, patches, images, limit, threads)
        unseen = _unseen_scores(after, seen, first, threads)
        calibration = _thresholds(manifest, images, joined(model.tables["calibration"], unseen))
        if _limit(model, calibration) >= limit:
            break
        limit = _limit(model, calibration)
    edits: dict[str, Edit] = {"calibration": (NOTHING, unseen)}
    for name, table in model.tables.items():
        if name != "calibration":
            edits[name] = NOTHING, behind(after.tables[name], table)
    return changed(model, "add", edits, images, np.arange(first, len(images)), calibration, who)


def _limit(model: Model, calibration: Calibration) -> float:
    """Peaks of all looks up to here, each on its scale, make no image REVIEW or NG, and no region."""
    memory = model.memory
    # The soft largest of L values is at most their largest plus log L.
    spare = math.log(len(memory.looks)) if memory.settings.join == "soft" else 0.0
    return min(calibration.review_threshold, calibration.map_threshold) - spare


def _gathered(seen: Sequence[Seen], name: str, first: int) -> TrainingPatches:
    """The patches of one look of all images, which are numbered from `first` on."""
    patches = gather((each.features[name] for each in seen), len(seen), PatchStore)
    return replace(patches, image_N=patches.image_N + first, first_image=first)


def _grown(
    model: Model, patches: Sequence[TrainingPatches], images: list[TrainingImage], limit: float, threads: int
) -> Model:
    """The model with rows and candidates for these patches, so that no look's peak passes `limit` on its scale."""
    memory, removable = model.memory, model.manifest.settings.removable
    looks = []
    for look, own in zip(memory.looks, patches, strict=True):
        (mean, deviation), (peak_mean, peak_deviation) = look.scale, look.peak_scale
        smallest = 1.0 if look.bank.scale_K is None else min(1.0, float(look.bank.scale_K.min()))
        counted = (peak_mean + peak_deviation * limit) * smallest / (1 + look.overall)  # a mean is at most its peak
        nearest = max(0.0, min(mean + deviation * limit, counted))
        looks.append(grown(look, own, nearest, removable=removable, threads=threads))
    manifest = model.manifest.model_copy(update={"images": tuple(images)})
    return replace(model, method=memory.with_looks(looks), manifest=manifest)


def _refuse_known(known: Sequence[TrainingImage], new: Sequence[TrainingImage]) -> None:
    path_of = {image.pixels: image.path for image in known if image.pixels}
    for image in new:
        if image.pixels in path_of:
            raise DataError(
                f"{image.path} shows the same pixels as {path_of[image.pixels]}, which is in the model already; leave "
                f"it out. Nothing was changed."
            )
        path_of[image.pixels] = image.path


def _unseen_scores(after: Model, seen: Sequence[Seen], first: int, threads: int) -> Table:
    """What the new images score by a memory that has all images but those of their own part.

    None where the thresholds rest on parts kept from the memory for good: the new images are not of that kind, and a
    larger bank lets no good part score higher, so that the promise stands.
    """
    counted = seen if after.manifest.calibration.mode == "cross" else []

    def score(each: Seen) -> Scores:
        return _without_part(after, each.image.group).score(each.features)

    answers = list(stream(score, counted, threads=threads))
    return {
        "image": np.arange(first, first + len(counted)),
        "scores": np.array([answer.image for answer in answers], np.float64),
        "peaks": np.array([answer.peak for answer in answers], np.float64),
    }


def _without_part(model: Model, group: str) -> Learns:
    """The memory without the images of one part; the whole one where that is all it knows."""
    leave = np.array([number for number, image in enumerate(model.manifest.images) if image.group == group])
    if any(np.isin(look.bank.image_K, leave).all() for look in model.memory.looks):
        return model.memory
    tables = apply(model.tables, _exchange(model, leave), NOTHING)[0]
    looks = enumerate(model.memory.looks)
    return model.memory.with_looks([with_rows(look, tables[f"bank{n or ''}"]) for n, look in looks])


def removed(model: Model, numbers: Ints, *, who: str | None) -> Model:
    """Take the images of these numbers (ascending) out of the memory. Raises DataError where too few would remain."""
    images = model.manifest.images
    remaining = [image for number, image in enumerate(images) if number not in set(numbers.tolist())]
    edits = _exchange(model, numbers)
    unseen = {name: np.delete(column, edits["calibration"][0], axis=0) for name, column in _unseen(model).items()}
    if not any(image.in_memory for image in remaining) or not len(unseen["image"]):
        raise DataError(f"Without these {len(numbers)} image(s) none would be left to learn from; fit a new model.")
    # Whoever takes a part out may have seen its score: what is promised rests on that.
    gone = {images[number].group for number in _unseen(model)["image"] if number in set(numbers.tolist())}
    calibration = _thresholds(model.manifest, images, unseen, more=len(gone))
    return changed(model, "remove", edits, remaining, numbers, calibration, who, left=numbers)


def _exchange(model: Model, leave: Ints) -> dict[str, Edit]:
    """What the leaving of some images does to all tables."""
    unseen = _unseen(model)
    edits: dict[str, Edit] = {"calibration": (np.flatnonzero(np.isin(unseen["image"], leave)), none_of(unseen))}
    for n, (look, nearest) in enumerate(zip(model.memory.looks, model.candidates_nearest, strict=True)):
        edits |= {f"{name}{n or ''}": edit for name, edit in exchange(look, nearest, leave).items()}
    return edits


def numbers_of(images: Sequence[TrainingImage], wanted: Sequence[str | os.PathLike[str] | int]) -> Ints:
    """The numbers of images, ascending, by numbers, parts, or names (as given at fit, or of the same file).

    Raises DataError for one that is not there, and for a name that several parts have.
    """
    numbers: set[int] = set()
    for each in wanted:
        if isinstance(each, int):
            found = {each} & set(range(len(images)))
        else:
            name = os.fspath(each)
            found = {n for n, image in enumerate(images) if image.group == name}
            found = found or {n for n, image in enumerate(images) if image.path == name}
            found = found or {n for n, image in enumerate(images) if _same_file(image.path, name)}
        if not found:
            raise DataError(
                f"{each} is none of the {len(images)} images of the model, such as {images[0].path}; name them as they "
                f"were named then. Nothing was changed."
            )
        parts = sorted({images[number].group for number in found})
        if len(parts) > 1:
            shown = ", ".join(parts[:3]) + (", ..." if len(parts) > 3 else "")
            raise DataError(
                f"{each} stands for images of {len(parts)} parts of the model; name those you mean by their part "
                f"({shown}). Nothing was changed."
            )
        numbers |= found
    return np.array(sorted(numbers), np.int64)


def _same_file(path: str, name: str) -> bool:
    return os.path.abspath(path) == os.path.abspath(name)


def _thresholds(
    manifest: ModelManifest, images: Sequence[TrainingImage], unseen: Table, *, more: int = 0
) -> Calibration:
    """The thresholds by the model's own rule, from the scores there are now; those of `more` groups were taken out."""
    groups = [images[number].group for number in unseen["image"]]
    was = manifest.calibration
    return set_thresholds(
        unseen["scores"],
        unseen["peaks"],
        groups,
        was.wanted,
        mode=was.mode,
        map_floor=was.map_floor,
        left_out=was.left_out + more,
    )


def _unseen(model: Model) -> Table:
    return model.tables["calibration"]
