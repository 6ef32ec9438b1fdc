"""The made defects that a network learns from: those of `blemish tune` and more forms and changes, with masks.

Those of `blemish tune` are few, so that each can be named. To learn from, more are wanted, and with what each changed:
long cracks that branch, polygons, clouds, changes by a factor and by a gradient, from 5 to 90 % of the image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints
from blemish.tuning import defects

__all__ = ["CHANGES", "IGNORED", "Good", "Made", "cell_labels", "make"]

Random: TypeAlias = np.random.Generator

IGNORED = -100
"""The label of a cell that is neither good nor clearly changed."""
EXTENTS = 0.05, 0.9
"""Of the longer side of the image, from and to."""
CONTRASTS = 0.25, 1.5
THIN = {"line", "long"}
"""Forms that are too narrow to show what happens to a texture."""
SHORTEST_CRACK, LONGEST_LINE, LEAST_CONTRAST = 0.2, 0.4, 0.3
"""Of thin forms."""
STEPS = 14
"""Straight pieces of a crack."""
UNTOUCHED = 1e-3
"""What lies nearer to the defect than this is not good."""


class Good(NamedTuple):
    """A good image as the network sees it."""

    image_HWC: Array
    """Three channels, uint8 or uint16."""
    looked_HW: Bools
    """Where it is looked at."""


@dataclass(frozen=True)
class Made:
    """A good image with a defect."""

    image_HWC: Array
    """Of the shape and type of the good one."""
    alpha_HW: Floats
    """Where the defect lies, from 0 to 1."""
    change_HW: Floats
    """How much pixels have changed, as a share of the brightest code."""
    looked_HW: Bools
    """Where the good one is looked at."""
    kind: int
    """Its number in CHANGES."""


def make(good: Good, donor: Good, random: Random) -> Made:
    """Draw one defect into an image, where it is looked at; `donor`, of the same shape, shows another good part."""
    top = float(np.iinfo(good.image_HWC.dtype).max)
    image_HWC, other_HWC = (each.image_HWC.astype(np.float32) / top for each in (good, donor))
    form = str(random.choice(list(FORMS)))
    extent = _extent(form, random)
    change = str(random.choice(FOR_THIN if form in THIN else list(CHANGES)))
    contrast = max(_between(CONTRASTS, random), LEAST_CONTRAST if form in THIN else 0)
    height, width = good.looked_HW.shape
    centre = divmod(int(random.choice(np.flatnonzero(good.looked_HW))), width)
    alpha_HW = FORMS[form](centre, extent * max(height, width), (height, width), random) * good.looked_HW
    changed_HWC = CHANGES[change](image_HWC, other_HWC, contrast, random)
    drawn_HWC = np.clip(image_HWC + alpha_HW[..., None] * (changed_HWC - image_HWC), 0, 1)
    change_HW = np.asarray(np.abs(drawn_HWC - image_HWC).max(axis=-1), np.float32)
    pixels_HWC = np.asarray(np.rint(drawn_HWC * top), good.image_HWC.dtype)
    return Made(pixels_HWC, alpha_HW, change_HW, good.looked_HW, list(CHANGES).index(change))


def cell_labels(made: Made, stride: int, least: float) -> Ints:
    """What each cell of a grid shows (h, w): 0 good, 1 + kind where it changed by more than `least`; else IGNORED,
    as what is not looked at."""
    height, width = made.change_HW.shape
    cells = -(-width // stride), -(-height // stride)
    looked_HW = made.looked_HW.astype(np.float32)
    change_hw, alpha_hw, looked_hw = (
        cv2.resize(each, cells, interpolation=cv2.INTER_AREA) for each in (made.change_HW, made.alpha_HW, looked_HW)
    )
    labels_hw = np.full(change_hw.shape, IGNORED, np.int64)
    labels_hw[cv2.dilate(alpha_hw, np.ones((3, 3))) < UNTOUCHED] = 0
    labels_hw[change_hw > least] = 1 + made.kind
    labels_hw[looked_hw < 0.5] = IGNORED
    return labels_hw


def _between(ends: tuple[float, float], random: Random) -> float:
    """Evenly over the logarithm."""
    low, high = np.log(ends)
    return float(np.exp(random.uniform(low, high)))


def _extent(form: str, random: Random) -> float:
    """The longest extent, as a share of the longer side."""
    extent = _between(EXTENTS, random)
    if form == "long":
        return max(extent, SHORTEST_CRACK)
    return min(extent, LONGEST_LINE) if form == "line" else extent


def _long(centre: tuple[int, int], extent: float, shape: Sequence[int], random: Random) -> Floats:
    """A long crack, bent or straight, one to four pixels wide, perhaps with a branch."""
    mask_HW = np.zeros((shape[0], shape[1]), np.float32)
    for _ in range(int(random.integers(1, 3))):
        bend = float(random.choice([0.05, 0.25]))
        turns = random.uniform(0, 2 * np.pi) + np.cumsum(random.normal(0, bend, STEPS))
        path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * extent / STEPS, axis=0)
        path += np.array(centre[::-1]) - path[int(random.integers(0, STEPS))]
        corners, width = [np.rint(path).astype(np.int32)], int(random.integers(1, 5))
        cv2.polylines(mask_HW, corners, isClosed=False, color=1.0, thickness=width)
    return np.asarray(cv2.GaussianBlur(mask_HW, (0, 0), random.uniform(0.5, 1.2)), np.float32)


def _polygon(centre: tuple[int, int], extent: float, shape: Sequence[int], random: Random) -> Floats:
    """A flat polygon with hard, soft or very soft edges."""
    corners = int(random.integers(3, 8))
    angles, flat = np.sort(random.uniform(0, 2 * np.pi, corners)), random.uniform(0.3, 1)
    radii = extent / 2 * random.uniform(0.4, 1, corners)
    points = np.stack([centre[1] + flat * radii * np.cos(angles), centre[0] + radii * np.sin(angles)], axis=1)
    mask_HW = np.zeros((shape[0], shape[1]), np.float32)
    cv2.fillPoly(mask_HW, [np.rint(points).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(mask_HW, (0, 0), float(random.choice([0.6, 4.0, 12.0]))), np.float32)


def _cloud(centre: tuple[int, int], extent: float, shape: Sequence[int], random: Random) -> Floats:
    """Patches of a cloud, within a blob."""
    coarse_hw = random.normal(0, 1, (max(3, shape[0] // 16), max(3, shape[1] // 16))).astype(np.float32)
    smooth_HW = cv2.resize(coarse_hw, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(2 * (smooth_HW - 0.2), 0, 1) * defects.FORMS["blob"](centre, extent, shape, random))


def _factor(image_HWC: Floats, donor_HWC: Floats, contrast: float, random: Random) -> Floats:
    """Darker, or less often lighter, by a factor."""
    change = contrast * float(random.choice([-1, -1, 1])) * random.uniform(0.3, 0.9)
    return np.asarray(image_HWC * np.float32(1 + change))


def _gradient(image_HWC: Floats, donor_HWC: Floats, contrast: float, random: Random) -> Floats:
    """Lighter or darker, more and more from one side to the other."""
    height, width = image_HWC.shape[:2]
    along = random.random() < 0.5
    ramp = np.linspace(0, 1, width if along else height, dtype=np.float32)
    ramp_HW1 = (ramp[None, :] if along else ramp[:, None])[..., None]
    if random.random() < 0.5:
        ramp_HW1 = 1 - ramp_HW1
    step = contrast * max(1.5 * float(image_HWC.std()), 0.06)
    return np.asarray(image_HWC + np.float32(random.choice([-1, 1]) * step) * ramp_HW1)


FORMS = {**defects.FORMS, "long": _long, "polygon": _polygon, "cloud": _cloud}
"""Where a defect lies."""
CHANGES: dict[str, Callable[[Floats, Floats, float, Random], Floats]] = {
    **{kind: defects.KINDS[kind] for kind in ("pasted", "tone", "blur", "texture")},
    "factor": _factor,
    "gradient": _gradient,
}
"""What a defect does to the image where it lies: the kinds that the network learns to tell apart."""
FOR_THIN = ["tone", "factor", "gradient", "pasted"]
