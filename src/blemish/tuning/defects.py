"""Defects that are drawn into good images, from the good images' own texture: many kinds, sizes and contrasts.

They stand in for real ones where none are at hand. Small sharp defects alone mislead (a broad dark area or a long faint
crack needs other looks), so sizes reach a third of the image, and half of the defects are faint.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints

__all__ = ["CONTRASTS", "FORMS", "KINDS", "SIZES", "Drawing", "draw", "drawings"]

SIZES = {"small": 0.04, "medium": 0.12, "large": 0.35}
"""The longest extent, as a share of the input's longer side."""
CONTRASTS = {"clear": 1.0, "faint": 0.4}


@dataclass(frozen=True)
class Drawing:
    """One defect to draw: on which image, of what kind, and from which other image its texture comes."""

    image: int
    donor: int
    kind: str
    size: str
    contrast: str
    seed: int

    @property
    def cell(self) -> str:
        """What it is reported under."""
        return f"{self.kind} {self.size} {self.contrast}"


def drawings(part_N: Ints, count: int, seed: int) -> list[Drawing]:
    """So many defects on images in turn, kinds, sizes and contrasts dealt out evenly; donors show another part."""
    random = np.random.default_rng(seed)
    cells = list(product(KINDS, SIZES, CONTRASTS))
    order, drawn = random.permutation(len(part_N)), []
    for number in range(count):
        image = int(order[number % len(order)])
        others = np.flatnonzero(part_N != part_N[image])
        donor = int(random.choice(others))
        drawn.append(Drawing(image, donor, *cells[number % len(cells)], seed=seed + number))
    return drawn


def draw(drawing: Drawing, sized: Array, donor: Array, looked_HW: Bools) -> Array:
    """Draw one defect into a sized image.

    Args:
        drawing: Which.
        sized: The good image (height, width, 3), uint8 or uint16.
        donor: The sized image of another good part, of the same shape.
        looked_HW: Where the image is looked at; the defect lies there only.

    Returns:
        The image with the defect, of the same shape and type.
    """
    random = np.random.default_rng(drawing.seed)
    top = float(np.iinfo(sized.dtype).max)
    image_HWC, donor_HWC = (each.astype(np.float32) / top for each in (sized, donor))
    extent = SIZES[drawing.size] * max(sized.shape[:2])
    form = FORMS["line" if drawing.kind == "scratch" else "blob"]
    alpha_HW = form(_centre(looked_HW, random), extent, looked_HW.shape, random) * looked_HW
    changed_HWC = KINDS[drawing.kind](image_HWC, donor_HWC, CONTRASTS[drawing.contrast], random)
    drawn_HWC = image_HWC + alpha_HW[..., None] * (changed_HWC - image_HWC)
    return np.asarray(np.rint(np.clip(drawn_HWC, 0, 1) * top), sized.dtype)


def _centre(looked_HW: Bools, random: np.random.Generator) -> tuple[int, int]:
    at = np.flatnonzero(looked_HW)
    y, x = divmod(int(random.choice(at)), looked_HW.shape[1])
    return y, x


def _blob(centre: tuple[int, int], extent: float, shape: Sequence[int], random: np.random.Generator) -> Floats:
    """A smooth irregular spot, from 0 to 1."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    dy, dx = y - centre[0], x - centre[1]
    angle = np.arctan2(dy, dx)
    waves = sum(random.uniform(-0.15, 0.15) * np.cos(k * angle + random.uniform(0, 6.3)) for k in (2, 3, 5))
    turn, flat = random.uniform(0, np.pi), random.uniform(0.4, 1.0)
    along, across = dx * np.cos(turn) + dy * np.sin(turn), (dy * np.cos(turn) - dx * np.sin(turn)) / flat
    distance = np.hypot(along, across) / (0.5 * extent * (1 + waves))
    return np.asarray(np.clip(4 * (1 - distance), 0, 1), np.float32)


def _line(centre: tuple[int, int], extent: float, shape: Sequence[int], random: np.random.Generator) -> Floats:
    """A thin bent line through a point, from 0 to 1."""
    turn, steps = random.uniform(0, 2 * np.pi), 8
    turns = turn + np.cumsum(random.normal(0, 0.25, steps))
    path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * extent / steps, axis=0)
    path += np.array(centre[::-1]) - path[steps // 2]
    mask_HW = np.zeros((shape[0], shape[1]), np.float32)
    width = int(np.clip(round(0.05 * extent), 1, 3))
    cv2.polylines(mask_HW, [np.rint(path).astype(np.int32)], isClosed=False, color=1.0, thickness=width)
    return np.asarray(cv2.GaussianBlur(mask_HW, (0, 0), 0.6), np.float32)


def _pasted(image_HWC: Floats, donor_HWC: Floats, contrast: float, random: np.random.Generator) -> Floats:
    """The texture of another place of another image, turned."""
    moved = np.roll(donor_HWC, random.integers(0, donor_HWC.shape[0], 2), axis=(0, 1))
    return image_HWC + contrast * (moved[::-1, ::-1] - image_HWC)


def _toned(image_HWC: Floats, donor_HWC: Floats, contrast: float, random: np.random.Generator) -> Floats:
    """Lighter or darker, by the spread of the image's own values."""
    step = max(1.5 * float(image_HWC.std()), 0.06)
    return image_HWC + float(random.choice([-1, 1])) * contrast * step


def _blurred(image_HWC: Floats, donor_HWC: Floats, contrast: float, random: np.random.Generator) -> Floats:
    return np.asarray(cv2.GaussianBlur(image_HWC, (0, 0), 1.0 + 4 * contrast), np.float32)


def _textured(image_HWC: Floats, donor_HWC: Floats, contrast: float, random: np.random.Generator) -> Floats:
    """The fine texture stronger, or nearly gone, around the same tone."""
    smooth = cv2.GaussianBlur(image_HWC, (0, 0), 3)
    factor = 1 + 2.5 * contrast if random.random() < 0.5 else 1 - contrast
    return np.asarray(smooth + factor * (image_HWC - smooth), np.float32)


FORMS: dict[str, Callable[[tuple[int, int], float, Sequence[int], np.random.Generator], Floats]] = {
    "blob": _blob,
    "line": _line,
}
"""Where a defect lies, from 0 to 1 (H x W): around a centre, so far in pixels, in an image of this shape."""
KINDS: dict[str, Callable[[Floats, Floats, float, np.random.Generator], Floats]] = {
    "pasted": _pasted,
    "scratch": _toned,
    "blur": _blurred,
    "tone": _toned,
    "texture": _textured,
}
"""What a defect makes of the image where it lies; a scratch is a thin line that is lighter or darker."""
