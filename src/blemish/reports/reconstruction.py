"""Pictures of why: the part as the memory would have it, and what deviates beside the good patches nearest to it.

The memory keeps patches, not pixels: the pixels come from the training images, which must still lie where they lay at
fit. What is not there any more is drawn grey, and named.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from pathlib import Path
from textwrap import wrap

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blemish.arrays import Bytes, Floats
from blemish.errors import ImageError, OptionError
from blemish.images.read import read_image
from blemish.images.transform import View, patch_centres, pixels_digest
from blemish.model.manifest import ModelManifest
from blemish.result import Matches, Nearest, Region, Result
from blemish.scoring.picture import OUTLINE, UNSEEN, displayable, outlined

__all__ = ["GoodPictures", "Pair", "as_remembered", "pair", "pairs", "reasons_sheet"]

SIZED_KEPT, WHOLE_KEPT = 2**26, 8
"""The bytes of training images that are kept at hand at the network's size, and the number of those at their own."""

REACH = 3.5
"""How far a crop reaches from its middle, in patches."""

CROP_SIDE = 160
"""The side of a crop as drawn, in pixels."""

SHEET_SIDE, GAP = 480, 6
"""The longest side of an image on a sheet, and the gap between pictures, in pixels."""
WORDS_WIDTH, WORDS_HEIGHT = 300, 22
"""The width of the words beside a pair, and the height of those below a picture, in pixels."""
INK = (28, 33, 38)


class GoodPictures:
    """The training images of a model, read when they are asked for."""

    def __init__(self, manifest: ModelManifest) -> None:
        self.transform = manifest.transform
        self.missing: dict[str, str] = {}
        """Those that were asked for and are not there any more, and why."""
        self._grid = manifest.grid
        self._images = {image.path: image for image in manifest.images}
        self._paths = [image.path for image in manifest.images]
        # Pictures are drawn of what is displayed, which has 8 bits.
        viewer = manifest.viewer
        self._rules = replace(viewer.rules, accept_damaged=True)  # no verdict rests on these pixels
        self._fitted = viewer
        self._viewer = replace(viewer, transform=self.transform.model_copy(update={"pixels": "uint8"}))
        kept = max(2, SIZED_KEPT // (3 * self.transform.height * self.transform.width))
        self.sized = lru_cache(kept)(self._sized)
        self.whole = lru_cache(WHOLE_KEPT)(self._whole)

    def view(self, image_HW3: Bytes) -> tuple[Bytes, View]:
        """An image as it is displayed, as the network saw it (height, width, 3), and how it was looked at."""
        sized, view = self._viewer(image_HW3, "The image")
        return np.asarray(sized, np.uint8), view

    def patch_size(self, path: str | None, image_HW3: Bytes) -> tuple[float, float]:
        """Width and height of a cell of the grid, in pixels of a training image or (None) of the inspected one."""
        height, width = image_HW3.shape[:2]
        motion = None if path is None else self._images[path].motion
        placement = self._viewer.of_size(height, width, motion, "The image").placement
        return (
            self.transform.width / self._grid[1] * placement.seen.width / placement.content.width,
            self.transform.height / self._grid[0] * placement.seen.height / placement.content.height,
        )

    def _sized(self, number: int) -> Bytes | None:
        """A training image by its number, as the network saw it (height, width, 3); None where it is missing."""
        whole = self.whole(self._paths[number])
        return None if whole is None else self.view(whole)[0]

    def _whole(self, path: str) -> Bytes | None:
        """A training image by its name, as it is displayed, H x W x 3; None where it is missing."""
        known = self._images[path]
        try:
            image = read_image(path, rules=self._rules)
            if image.shape[:2] != (known.height, known.width):
                raise ImageError(f"{path} has another size than at fit.")
            if known.pixels and pixels_digest(self._fitted(image, path)[0]) != known.pixels:
                raise ImageError(f"{path} shows something else than at fit.")
        except ImageError as error:
            self.missing[path] = str(error)
            return None
        return displayable(image, self.transform)


def as_remembered(image_HW3: Bytes, matches: Matches, pictures: GoodPictures) -> Bytes:
    """The image with each patch replaced by the pixels of its nearest good patch, blended into each other.

    Each training image is brought to the image's median brightness first, or parts under another exposure would make a
    mosaic of it. Grey is what was not looked at, and patches whose training image is missing (`pictures.missing`).
    """
    sized, view = pictures.view(image_HW3)
    height, width = sized.shape[:2]
    brightness = float(np.median(sized))
    # A piece reaches to the middle of the pieces around it, where its weight has fallen to nothing.
    reach_x, reach_y = ceil(width / matches.grid[1]), ceil(height / matches.grid[0])
    weight_YX1 = np.outer(_tent(reach_y), _tent(reach_x))[:, :, None].astype(np.float32)
    to_Q2, from_Q2 = (
        np.rint(patch_centres(cells_Q, matches.grid, height, width)).astype(int)
        for cells_Q in (matches.at_Q, matches.cell_Q)
    )
    margin = (reach_y, reach_y), (reach_x, reach_x), (0, 0)
    sums = np.zeros((height + 2 * reach_y, width + 2 * reach_x, 3), np.float32)
    weights = np.zeros((*sums.shape[:2], 1), np.float32)
    for number in np.unique(matches.image_Q):
        good = pictures.sized(int(number))
        if good is None:
            source = np.full(sums.shape, UNSEEN, np.float32)
        else:
            source = np.pad(good * np.float32(brightness / max(float(np.median(good)), 1.0)), margin, "edge")
        for q in np.flatnonzero(matches.image_Q == number):
            # With a margin of one reach, a piece begins where its centre would lie without.
            (to_x, to_y), (from_x, from_y) = to_Q2[q], from_Q2[q]
            there = np.s_[to_y : to_y + 2 * reach_y, to_x : to_x + 2 * reach_x]
            sums[there] += source[from_y : from_y + 2 * reach_y, from_x : from_x + 2 * reach_x] * weight_YX1
            weights[there] += weight_YX1
    inside = np.s_[reach_y : reach_y + height, reach_x : reach_x + width]
    drawn = np.where(weights[inside] > 0, sums[inside] / np.maximum(weights[inside], 1e-6), UNSEEN[0])
    return _to_image(np.clip(drawn, 0, 255).astype(np.float32), view)


def _tent(reach: int) -> Floats:
    """Weights that rise to the middle and fall again, 2 x reach of them; neighbours one reach apart add up to 1."""
    return np.asarray(1 - np.abs(np.arange(2 * reach) + 0.5 - reach) / reach, np.float32)


def _to_image(input_HW3: Floats, view: View) -> Bytes:
    planes = [view.to_image(np.ascontiguousarray(input_HW3[:, :, channel])) for channel in range(3)]
    return np.asarray(np.rint(np.nan_to_num(np.stack(planes, axis=2), nan=UNSEEN[0])), np.uint8)


@dataclass(frozen=True)
class Pair:
    """A patch of a region, and the good patch nearest to it, each with what lies around it; patches are marked."""

    nearest: Nearest
    image_SS3: Bytes
    good_SS3: Bytes | None
    """None where the training image is missing."""


def pairs(image_HW3: Bytes, regions: list[Region], pictures: GoodPictures) -> Iterator[Pair]:
    """For each region its most anomalous patch beside the good patch nearest to it."""
    return (pair(image_HW3, region.nearest[0], pictures) for region in regions if region.nearest)


def pair(image_HW3: Bytes, nearest: Nearest, pictures: GoodPictures) -> Pair:
    """A patch of the image beside the good patch nearest to it."""
    good = pictures.whole(nearest.path)
    crop = _crop(image_HW3, nearest.at, pictures.patch_size(None, image_HW3))
    if good is None:
        return Pair(nearest, crop, None)
    return Pair(nearest, crop, _crop(good, (nearest.x, nearest.y), pictures.patch_size(nearest.path, good)))


def _crop(image_HW3: Bytes, middle: tuple[int, int], patch: tuple[float, float]) -> Bytes:
    """A square of 2 x REACH patches around a point; edges are repeated outwards."""
    width, height = (max(1, round(2 * REACH * side)) for side in patch)
    cut = cv2.getRectSubPix(image_HW3, (width, height), (float(middle[0]), float(middle[1])))
    shrinks = width > CROP_SIDE
    square = cv2.resize(cut, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    half = round(CROP_SIDE / REACH / 4)
    corner = CROP_SIDE // 2 - half, CROP_SIDE // 2 - half
    cv2.rectangle(square, corner, (corner[0] + 2 * half, corner[1] + 2 * half), OUTLINE, 1)
    return np.asarray(square, np.uint8)


def reasons_sheet(image_HW3: Bytes, result: Result, pictures: GoodPictures) -> Bytes:
    """One picture of why, in words: the image with its regions outlined and the image as remembered; below, the pairs.

    Raises OptionError for a result of a method that keeps no good patches.
    """
    if result.matches is None:
        raise OptionError(
            "Reasons are pictures of the nearest good patches, which only patchcore keeps; leave them out."
        )
    shown = outlined(image_HW3, result.regions), as_remembered(image_HW3, result.matches, pictures)
    named = zip(map(_fitted, shown), ("The image and its regions", "The image from good patches"), strict=True)
    rows = [_row([_above_words(picture, words) for picture, words in named])]
    for number, pair in enumerate(pairs(image_HW3, result.regions, pictures), start=1):
        good = np.full_like(pair.image_SS3, UNSEEN[0]) if pair.good_SS3 is None else pair.good_SS3
        rows.append(_row([pair.image_SS3, good, _words_of(pair, number)]))
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    )


def _words_of(pair: Pair, number: int) -> Bytes:
    """What a pair shows, as high as its pictures."""
    near = pair.nearest
    name = f"{Path(near.path).name}{'' if pair.good_SS3 is not None else ' (not there any more)'}"
    lines = [
        f"Region {number}.",
        f"Left: what deviates most, at {near.at[0]},{near.at[1]}.",
        "Right: the good patch nearest to it,",
        f"at {near.x},{near.y}, distance {near.distance:.3g}, of",
        *wrap(name, WORDS_WIDTH // 8),
    ]
    return _written("\n".join(lines), (WORDS_WIDTH, CROP_SIDE))


def _above_words(picture_HW3: Bytes, words: str) -> Bytes:
    """The picture above a line that says what it is."""
    return np.concatenate([picture_HW3, _written(words, (picture_HW3.shape[1], WORDS_HEIGHT))])


def _written(text: str, size: tuple[int, int]) -> Bytes:
    """Words on white, of a width and height in pixels."""
    sheet = Image.new("RGB", size, "white")
    ImageDraw.Draw(sheet).multiline_text((2, 2), text, INK, ImageFont.load_default(size=14.0))
    return np.asarray(sheet)


def _fitted(image_HW3: Bytes) -> Bytes:
    """At most SHEET_SIDE pixels long."""
    scale = min(1.0, SHEET_SIDE / max(image_HW3.shape[:2]))
    size = max(1, round(image_HW3.shape[1] * scale)), max(1, round(image_HW3.shape[0] * scale))
    return np.asarray(cv2.resize(image_HW3, size, interpolation=cv2.INTER_AREA), np.uint8)


def _row(pictures: list[Bytes]) -> Bytes:
    """Pictures of one height beside each other, on white, with a gap after each and below."""
    return np.concatenate(
        [np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for picture in pictures], 1
    )
