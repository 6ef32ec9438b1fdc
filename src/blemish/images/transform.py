"""How the images of a model are looked at: aligned, hidden where nothing counts, brought to the network's input size.

The way there and the way back are one object, so that no map is ever laid over the wrong pixels.
Resizing is Pillow's bilinear filter with antialias, on the whole image, before anything else.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.errors import ImageError
from blemish.images.align import Aligner
from blemish.images.encoded import PixelType
from blemish.images.nodata import measured
from blemish.images.places import Places, hide
from blemish.images.read import constant_end
from blemish.images.rules import USUAL, Rules
from blemish.images.tiling import Tiling
from blemish.result import Box

__all__ = ["Placement", "Resize", "Transform", "View", "Viewer", "patch_centres", "pixels_digest"]

Resize = Literal["letterbox", "stretch", "crop"]

CROP_MARGIN = 256 / 224
"""A crop of s pixels is cut from an image whose side was brought to s * 256 / 224 (PatchCore's code)."""


@dataclass(frozen=True)
class Placement:
    """Where an image lies in the network's input: `content` of the input shows `seen` of the image."""

    content: Box
    seen: Box
    image_height: int
    image_width: int

    def window(self, grid: tuple[int, int], height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns of an h x w grid over the input whose centres lie on the image, not on padding."""
        return (
            _inside(grid[0], height, self.content.y, self.content.height),
            _inside(grid[1], width, self.content.x, self.content.width),
        )

    def to_image(self, input_map: Floats) -> Floats:
        """Carry a map of the input (height x width) to the image (H x W); NaN where the image was not seen."""
        content, seen = self.content, self.seen
        part = input_map[content.y : content.y + content.height, content.x : content.x + content.width]
        resized = cv2.resize(part, (seen.width, seen.height), interpolation=cv2.INTER_LINEAR)
        part = np.asarray(resized, np.float32)
        if (seen.width, seen.height) == (self.image_width, self.image_height):
            return part
        image_map = np.full((self.image_height, self.image_width), np.nan, np.float32)
        image_map[seen.y : seen.y + seen.height, seen.x : seen.x + seen.width] = part
        return image_map

    def to_image_points(self, points_P2: Doubles) -> Ints:
        """Carry points (x, y) of the input to the pixels of the image they show."""
        content, seen = self.content, self.seen
        scale = np.array([seen.width / content.width, seen.height / content.height])
        image_P2 = np.array([seen.x, seen.y]) + (points_P2 - [content.x, content.y]) * scale
        last = np.array([self.image_width - 1, self.image_height - 1])
        return np.asarray(np.clip(image_P2.astype(np.int64), 0, last), np.int64)


def patch_centres(cells_P: Ints, grid: tuple[int, int], height: int, width: int) -> Doubles:
    """Centres (x, y) of places (row * w + column) on an h x w grid over an input of height x width pixels."""
    rows_P, columns_P = np.divmod(cells_P, grid[1])
    return np.stack([(columns_P + 0.5) * width / grid[1], (rows_P + 0.5) * height / grid[0]], axis=1)


def _inside(cells: int, length: int, start: int, extent: int) -> slice:
    """Cells whose centre lies in [start, start + extent) of a side; the nearest one where that is none."""
    centres = (np.arange(cells) + 0.5) * length / cells
    inside = np.flatnonzero((centres >= start) & (centres < start + extent))
    if len(inside) == 0:
        inside = np.array([np.abs(centres - (start + extent / 2)).argmin()])
    return slice(int(inside[0]), int(inside[-1]) + 1)


class Transform(BaseModel):
    """From decoded pixels to height x width x 3 codes of one type, the same for every image of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int
    width: int
    resize: Resize
    pixels: PixelType = "uint8"
    low: float = 0.0
    high: float = 65535.0
    """For uint16 and float32 pixels: the values that become the darkest and the brightest code."""
    tiling: Tiling | None = None
    """How the network is shown an input larger than one call; None: at once."""

    @property
    def codes(self) -> Literal["uint8", "uint16"]:
        """The type of the codes that the network is given."""
        return "uint8" if self.pixels == "uint8" else "uint16"

    def share(self, threads: int) -> tuple[int, int]:
        """How many images are looked at at once, and by how many threads each: tiled ones are large, so one by all."""
        return (1, threads) if self.tiling else (threads, 1)

    def __call__(self, image: Array, name: str) -> tuple[Array, Placement]:
        """Size one image; `name` is for messages. Returns uint8 or uint16 (height, width, 3) and its placement."""
        if image.dtype != self.pixels:
            raise ImageError(
                f"{name} has {image.dtype} pixels, but the model was fitted on {self.pixels} images; "
                f"convert the image, or fit on images of its kind."
            )
        placement = self.place(image.shape[0], image.shape[1])
        sized = self._sized(image, placement)
        if self.pixels != "uint8":
            scaled = (sized - self.low) / (self.high - self.low)
            sized = np.rint(np.clip(scaled, 0, 1) * 65535).astype(np.uint16)
        if sized.ndim == 2:
            sized = np.asarray(cv2.cvtColor(sized, cv2.COLOR_GRAY2RGB))  # many times faster than np.repeat
        return sized, placement

    def place(self, image_height: int, image_width: int) -> Placement:
        """Where an image of this size will lie in the input."""
        whole = Box(0, 0, image_width, image_height)
        content = Box(0, 0, self.width, self.height)
        if self.resize == "letterbox":
            scale = (
                1.0
                if self._nearly(image_height, image_width)
                else min(self.height / image_height, self.width / image_width)
            )
            height, width = max(1, round(image_height * scale)), max(1, round(image_width * scale))
            content = Box((self.width - width) // 2, (self.height - height) // 2, width, height)
        elif self.resize == "crop":
            resized_height, resized_width, top, left = self._crop(image_height, image_width)
            y, x = round(top * image_height / resized_height), round(left * image_width / resized_width)
            height = max(1, round(self.height * image_height / resized_height))
            width = max(1, round(self.width * image_width / resized_width))
            whole = Box(x, y, min(width, image_width - x), min(height, image_height - y))
        return Placement(content, whole, image_height, image_width)

    def _nearly(self, image_height: int, image_width: int) -> bool:
        """Whether an image to be tiled is as large as the input but for rounding: its pixels stay as they are."""
        return self.tiling is not None and all(
            0 <= side - image_side < self.tiling.unit
            for side, image_side in ((self.height, image_height), (self.width, image_width))
        )

    def _crop(self, image_height: int, image_width: int) -> tuple[int, int, int, int]:
        """Size after bringing the side that is shorter for this crop to its target, then the crop's top and left."""
        if image_height * self.width <= image_width * self.height:
            height = round(self.height * CROP_MARGIN)
            resized = height, int(height * image_width / image_height)
        else:
            width = round(self.width * CROP_MARGIN)
            resized = int(width * image_height / image_width), width
        return *resized, round((resized[0] - self.height) / 2), round((resized[1] - self.width) / 2)

    def _sized(self, image: Array, placement: Placement) -> Array:
        content = placement.content
        if self.resize == "crop":
            height, width, top, left = self._crop(placement.image_height, placement.image_width)
            return resize(image, height, width)[top : top + self.height, left : left + self.width]
        sized = resize(image, content.height, content.width)
        if (content.height, content.width) == (self.height, self.width):
            return sized
        # Repeating the edge keeps convolutions from seeing a line that is not on the part.
        rows = content.y, self.height - content.height - content.y
        columns = content.x, self.width - content.width - content.x
        return np.pad(sized, [rows, columns, (0, 0)][: sized.ndim], mode="edge")


def resize(image: Array, height: int, width: int) -> Array:
    """Resize with Pillow's antialiased bilinear filter; uint16 is resized, and returned, as float32."""
    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    planes = image[:, :, None] if image.ndim == 2 else image
    resized = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(planes.astype(np.float32), 2, 0)
    ]
    return resized[0] if image.ndim == 2 else np.stack(resized, axis=2)


@dataclass(frozen=True)
class View:
    """How one image was looked at."""

    placement: Placement
    """Where the image, aligned if it was, lies in the network's input."""
    looked_HW: Bools | None
    """Which of its pixels count; None: all."""
    matrix: Doubles | None
    """From pixels of the aligned image to those of the image as it came (2 x 3); None: it was not aligned."""
    image_height: int
    image_width: int
    """Of the image as it came."""
    name: str
    """For messages."""
    unmeasured: int = 0
    """So many of its pixels were not measured, and do not count."""
    end: float = 0.0
    """The share of its last rows or columns that hold one constant value."""

    @property
    def measured(self) -> float:
        """The share of its pixels that was measured."""
        return 1 - self.unmeasured / (self.image_height * self.image_width)

    def cells(self, grid: tuple[int, int], height: int, width: int) -> Bools:
        """Which cells of an h x w grid over the input count: those whose centre lies on a pixel that does.

        A grid of one cell is about the whole image, and counts. Raises ImageError where no cell does.
        """
        rows, columns = self.placement.window(grid, height, width)
        cells_hw = np.zeros(grid, np.bool_)
        if self.looked_HW is None or grid == (1, 1):
            cells_hw[rows, columns] = True
            return cells_hw
        y = self.placement.to_image_points(patch_centres(np.arange(grid[0]), (grid[0], 1), height, width))[:, 1]
        x = self.placement.to_image_points(patch_centres(np.arange(grid[1]), (1, grid[1]), height, width))[:, 0]
        cells_hw[rows, columns] = self.looked_HW[np.ix_(y[rows], x[columns])]
        if not cells_hw.any():
            raise ImageError(
                f"{self.name}: the areas to look at hold no patch of the network; draw them larger, or raise size."
            )
        return cells_hw

    def to_image(self, input_map: Floats) -> Floats:
        """Carry a map of the input (height x width) to the image as it came; NaN where it was not looked at."""
        map_HW = self.placement.to_image(input_map)
        if self.looked_HW is not None:
            map_HW[~self.looked_HW] = np.nan
        if self.matrix is None:
            return map_HW
        size = self.image_width, self.image_height
        nan = (np.nan,) * 4
        return np.asarray(cv2.warpAffine(map_HW, self.matrix, size, flags=cv2.INTER_LINEAR, borderValue=nan))

    def to_image_points(self, points_P2: Doubles) -> Ints:
        """Carry points (x, y) of the input to the pixels they show of the image as it came."""
        pixels_P2 = self.placement.to_image_points(points_P2)
        if self.matrix is not None:
            pixels_P2 = np.rint(pixels_P2 @ self.matrix[:, :2].T + self.matrix[:, 2]).astype(np.int64)
        return np.asarray(np.clip(pixels_P2, 0, np.array([self.image_width - 1, self.image_height - 1])), np.int64)


@dataclass(frozen=True)
class Viewer:
    """Looks at every image of a model in the same way."""

    transform: Transform
    places: Places | None = None
    aligner: Aligner | None = None
    rules: Rules = USUAL
    """How the images are read that are looked at."""

    def __call__(self, image: Array, name: str) -> tuple[Array, View]:
        """Align, hide and size one image; `name` is for messages. Pixels that were not measured (NaN) do not count.

        Returns uint8 or uint16 (height, width, 3) and how the image was looked at. Raises ImageError for another kind
        of pixels, another aspect than areas or alignment allow, and a part that is not found.
        """
        height, width = image.shape[:2]
        end = constant_end(image)
        known_HW = measured(image) if image.dtype == np.float32 else None
        if known_HW is not None:
            image = hide(image, known_HW)
        matrix = self.aligner(image, name) if self.aligner else None
        looked_HW = known_HW
        if self.aligner and matrix is not None:
            looked_HW = self.aligner.shown(matrix, np.ones((height, width), np.bool_) if known_HW is None else known_HW)
            image = self.aligner.moved(image, matrix)
        if self.places:
            mask_HW = self.places.of_image(image.shape[0], image.shape[1], name)
            looked_HW = mask_HW if looked_HW is None else looked_HW & mask_HW
            image = hide(image, mask_HW)
        sized, placement = self.transform(image, name)
        unmeasured = 0 if known_HW is None else int(np.count_nonzero(~known_HW))
        return sized, View(placement, looked_HW, matrix, height, width, name, unmeasured, end)

    def of_size(self, height: int, width: int, motion: Sequence[float] | None, name: str) -> View:
        """How an image of this size was looked at, for points alone; `motion` is its matrix row by row."""
        matrix = None if motion is None else np.reshape(np.asarray(motion, np.float64), (2, 3))
        aligned = (self.aligner.height, self.aligner.width) if self.aligner else (height, width)
        return View(self.transform.place(*aligned), None, matrix, height, width, name)


def pixels_digest(sized: Array) -> str:
    """The sha256 of an image's pixels as the network sees them, by which a copy is known under any name."""
    return hashlib.sha256(np.ascontiguousarray(sized).data).hexdigest()
