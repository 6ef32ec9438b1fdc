"""The range of every number in a manifest, and what must agree: types alone let sizes of zero through."""

import base64
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blemish.calibration.thresholds import Calibration
from blemish.images.training_image import TrainingImage
from blemish.images.transform import Transform
from blemish.model.manifest import Change, ModelManifest

__all__ = ["check_pictures", "problems"]

LONGEST_SIDE = 1 << 20
"""Pixels of an image; of a network's input, LARGEST_INPUT bounds the area as well."""
LARGEST_INPUT = 1 << 28
LARGEST_PICTURE = 150_000_000
"""Pixels of a mask, which has the size of an image; decoding takes three bytes each."""
LARGEST_SCORE = 3.4e38
PNG_START = 24
"""Bytes of a PNG up to its width and height."""


def check_pictures(fields: Mapping[str, Any]) -> None:
    """Bound the pictures in a manifest by their headers, before any is decoded. Raises ValueError naming the field."""
    for owner, name in (("places", "mask"), ("aligner", "picture")):
        holder = fields.get(owner)
        text = holder.get(name) if isinstance(holder, dict) else None
        if not isinstance(text, str):
            continue
        try:
            start = base64.b64decode(text[: PNG_START * 4 // 3], validate=True)
            width, height = struct.unpack(">II", start[16:PNG_START])
        except (ValueError, struct.error):
            raise ValueError(f"field {owner}.{name} of its manifest: not a PNG in base64") from None
        if width * height > LARGEST_PICTURE:
            raise ValueError(f"field {owner}.{name} of its manifest: {width} x {height} pixels are too many")


def problems(manifest: ModelManifest, held_out: int) -> Iterator[tuple[str, str]]:
    """Each field that cannot be, and why; `held_out` is how many images the thresholds rest on."""
    yield from _transform(manifest.transform)
    rows, columns = manifest.grid
    if not (1 <= rows <= manifest.transform.height and 1 <= columns <= manifest.transform.width):
        yield "grid", f"{rows} x {columns} patches do not fit on the input"
    if manifest.settings.method != manifest.method:
        yield "settings.method", f"{manifest.settings.method!r} is not the model's method, {manifest.method!r}"
    if manifest.aligner and not _is_size(manifest.aligner.height, manifest.aligner.width):
        yield "aligner.height", f"{manifest.aligner.height} x {manifest.aligner.width} is no size of an image"
    if not manifest.in_memory:
        yield "images", "the model was fitted on none"
    for number, image in enumerate(manifest.images):
        yield from _image(f"images.{number}", image)
    if manifest.calibration.images != held_out:
        yield "calibration.images", f"{manifest.calibration.images}, but {held_out} scores are kept"
    yield from _calibration("calibration", manifest.calibration)
    yield from _journal(manifest.journal, len(manifest.images))


def _transform(transform: Transform) -> Iterator[tuple[str, str]]:
    height, width, tiling = transform.height, transform.width, transform.tiling
    if not _is_size(height, width) or height * width > LARGEST_INPUT:
        wrong = "height" if not 1 <= height <= LONGEST_SIDE else "width"
        yield f"transform.{wrong}", f"{height} x {width} is no size of a network's input"
    if not (math.isfinite(transform.low) and math.isfinite(transform.high) and transform.low < transform.high):
        yield "transform.high", f"the range from {transform.low} to {transform.high} is none"
    if tiling is None:
        return
    if tiling.unit < 1 or tiling.side < 1 or tiling.side % tiling.unit:
        yield "transform.tiling.side", f"{tiling.side} is not a multiple of the unit, {tiling.unit}, from 1 on"
    elif not 0 <= 2 * tiling.margin < tiling.side or tiling.margin % tiling.unit:
        yield "transform.tiling.margin", f"{tiling.margin} leaves nothing of a tile of {tiling.side}"


def _image(field: str, image: TrainingImage) -> Iterator[tuple[str, str]]:
    if not _is_size(image.height, image.width):
        yield f"{field}.height", f"{image.height} x {image.width} is no size of an image"
    if image.pixels and (len(image.pixels) != 64 or not set(image.pixels) <= set("0123456789abcdef")):
        yield f"{field}.pixels", "not a sha256"
    if image.motion and not all(map(math.isfinite, image.motion)):
        yield f"{field}.motion", "not finite"


def _calibration(field: str, calibration: Calibration) -> Iterator[tuple[str, str]]:
    images, groups = calibration.images, calibration.groups
    if not 1 <= groups <= images:
        yield f"{field}.groups", f"{groups} groups of {images} images cannot be"
    if not 0 <= calibration.above <= calibration.review_above <= groups:
        yield f"{field}.above", f"{calibration.above} and {calibration.review_above} of {groups} groups cannot be"
    for name in ("threshold", "review_threshold", "map_threshold", "map_extent"):
        if abs(getattr(calibration, name)) > LARGEST_SCORE:
            yield f"{field}.{name}", f"{getattr(calibration, name)} is beyond float32, which maps are of"
    if calibration.map_floor is not None and abs(calibration.map_floor) > LARGEST_SCORE:
        yield f"{field}.map_floor", f"{calibration.map_floor} is beyond float32, which maps are of"
    if calibration.review_threshold > calibration.threshold:
        yield f"{field}.review_threshold", f"{calibration.review_threshold} is above the threshold"
    if calibration.map_extent > calibration.map_threshold:
        yield f"{field}.map_extent", f"{calibration.map_extent} is above the map's threshold"
    if not 0 <= calibration.images_with_region <= images:
        yield f"{field}.images_with_region", f"{calibration.images_with_region} of {images} cannot be"


def _journal(journal: Sequence[Change], images: int) -> Iterator[tuple[str, str]]:
    """Whether the changes, from the last to the first, lead back to some images."""
    for number, change in reversed(list(enumerate(journal))):
        field, changed = f"journal.{number}", len(change.images)
        after, images = images, images + changed if change.change == "remove" else images - changed
        named = tuple(sorted(set(change.numbers)))
        if named != change.numbers or len(named) != changed:
            yield f"{field}.numbers", f"they must be {changed} different ones, ascending"
        if images < 1 or any(not 0 <= each < max(images, after) for each in named):
            yield f"{field}.numbers", "they name images that are not there"
        if min([0, *change.added.values(), *change.taken.values()]) < 0 or change.added.keys() != change.taken.keys():
            yield f"{field}.added", "it must count, from 0 on, for the same tables as field taken"
        if not math.isfinite(change.threshold):
            yield f"{field}.threshold", "not finite"
        for image in change.images:
            yield from _image(f"{field}.images", image)
        yield from _calibration(f"{field}.before", change.before)


def _is_size(height: int, width: int) -> bool:
    return 1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE
