"""Find a part that has moved: translation, or translation and rotation, to the first good image.

The start comes from phase correlation (Kuglin and Hines, 1975), tried at every angle on a coarse image where the part
may turn; enhanced correlation (Evangelidis and Psarakis, PAMI 2008) refines it to a fraction of a pixel. Both are
OpenCV's, and neither minds a change of brightness or contrast.
"""

from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, field_validator

from blemish.arrays import Array, Bools, Bytes, Doubles
from blemish.errors import ImageError
from blemish.images.inline import picture_from_text, picture_to_text
from blemish.images.places import same_aspect

__all__ = ["Aligner", "Motion"]

Motion = Literal["shift", "rigid"]

FINE, COARSE = 640, 128
"""Longest sides, in pixels, of the images that are refined on and that the angle is sought on."""
STEP, LIKELY = 5, 8
"""Degrees between the angles that are tried, and how many of them are refined."""
NEARLY = 0.01
"""Motions whose correlations differ by no more than this fit about as well: half a turn of solar cells, which look the
same upside down, was seen to fit better by up to 0.005."""
LEAST_CORRELATION = 0.6
"""Below it the part counts as not found; good parts of one kind were seen to correlate by 0.8 and more."""
ECC = {"shift": cv2.MOTION_TRANSLATION, "rigid": cv2.MOTION_EUCLIDEAN}
ENOUGH = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-6)
BACKWARDS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
BLUR = 5
"""Side of the Gaussian, in pixels of the fine image, that the refinement looks through."""


class Aligner(BaseModel):
    """Registers images to the first good image, of which it keeps a small grey copy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    motion: Motion
    height: int
    width: int
    """Size of the first good image, and so of every aligned one."""
    picture: str
    """The grey copy, at most 640 pixels long: a PNG in base64."""

    @field_validator("picture")
    @classmethod
    def _is_a_picture(cls, text: str) -> str:
        if picture_from_text(text).dtype != np.uint8:
            raise ValueError("not a grey picture")
        return text

    @classmethod
    def to(cls, image: Array, motion: Motion) -> "Aligner":
        """Align to this image."""
        height, width = image.shape[:2]
        picture = picture_to_text(_grey(image, *_at_most(FINE, height, width)))
        return cls(motion=motion, height=height, width=width, picture=picture)

    @cached_property
    def reference(self) -> Bytes:
        """The grey copy, H x W."""
        return picture_from_text(self.picture)

    def __call__(self, image: Array, name: str) -> Doubles:
        """The matrix (2 x 3) from pixels of the aligned image to those of `image`; pixel centres at whole numbers.

        Raises ImageError for an image of another aspect, and where the part is not found.
        """
        height, width = image.shape[:2]
        if not same_aspect(height, width, self.height, self.width):
            raise ImageError(
                f"{name} is {width} x {height} pixels but the image that parts are aligned to is {self.width} x "
                f"{self.height}, another aspect; bring the image to the same field of view."
            )
        fine = _grey(image, *self.reference.shape)
        found, correlation = _refine(self.motion, self.reference, fine, self._start(fine))
        if correlation < LEAST_CORRELATION:
            raise ImageError(
                f"{name} cannot be aligned: it correlates by {correlation:.2f} with the first good image, and "
                f"{LEAST_CORRELATION} is the least; is the part there, and the right way up?"
            )
        to_fine = _scaling(self.reference.shape, (self.height, self.width))
        from_fine = _scaling((height, width), self.reference.shape)
        return np.asarray((from_fine @ found @ to_fine)[:2])

    def _start(self, fine: Bytes) -> Doubles:
        """The motion (3 x 3) that correlates best at the coarse size, from the few angles that look likely there.

        Of those that do about as well the one that turns least: many parts look nearly the same upside down.
        """
        size = _at_most(COARSE, *fine.shape)
        reference, image = _grey(self.reference, *size), _grey(fine, *size)
        starts = sorted(
            (_shifted(reference, image, angle) for angle in (range(0, 360, STEP) if self.motion == "rigid" else [0])),
            key=lambda start: -start[1],
        )
        likely = [np.eye(3), *(start for start, _ in starts[:LIKELY])]
        refined = [_refine(self.motion, reference, image, start) for start in likely]
        highest = max(correlation for _, correlation in refined)
        fitting = [motion for motion, correlation in refined if correlation >= highest - NEARLY]
        least = min(fitting, key=lambda motion: abs(np.arctan2(motion[1, 0], motion[0, 0])))
        return _scaling(fine.shape, size) @ least @ _scaling(size, fine.shape)

    def moved(self, image: Array, matrix: Doubles) -> Array:
        """The image, aligned; beyond its edge, the edge goes on."""
        return _warp(image, matrix, self.height, self.width)

    def shown(self, matrix: Doubles, known_HW: Bools) -> Bools:
        """Which pixels of the aligned image show something that is known of the image."""
        size = self.width, self.height
        there = known_HW.view(np.uint8)
        return np.asarray(cv2.warpAffine(there, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP) > 0)


def _at_most(longest: int, height: int, width: int) -> tuple[int, int]:
    """Height and width, made smaller where the longer one is longer than this."""
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _shifted(reference: Bytes, image: Bytes, angle: float) -> tuple[Doubles, float]:
    """The motion (3 x 3) of this angle by phase correlation, and how well it fits."""
    height, width = reference.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    turn = _rotation(angle, height, width)
    turned = _warp(image.astype(np.float32), turn, height, width)
    (x, y), _ = cv2.phaseCorrelate(reference.astype(np.float32), turned, window)
    motion = turn @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    return motion, _correlation(reference, _warp(image, motion, height, width))


def _correlation(image: Bytes, other: Bytes) -> float:
    """Pearson's, over all pixels; 0 where one of them is flat."""
    a, b = (picture - picture.mean(dtype=np.float64) for picture in (image, other))
    return float((a * b).sum() / max(np.sqrt((a**2).sum() * (b**2).sum()), 1e-9))


def _refine(motion: Motion, reference: Bytes, image: Bytes, start: Doubles) -> tuple[Doubles, float]:
    """The motion (3 x 3) of the highest enhanced correlation near a start, and that correlation."""
    # OpenCV keeps the angle as an arcsine, so it goes wrong beyond a quarter turn; here it only sees what is left.
    moved = _warp(image, start, *reference.shape)
    there = cv2.warpAffine(np.full(image.shape, 255, np.uint8), start[:2], reference.shape[::-1], flags=BACKWARDS)
    try:
        correlation, rest = cv2.findTransformECC(
            reference, moved, np.eye(2, 3, dtype=np.float32), ECC[motion], ENOUGH, there, BLUR
        )
    except cv2.error:  # the part has left the image, or the image is flat
        return start, 0.0
    return start @ np.vstack([rest, [0, 0, 1]]), float(correlation)


def _grey(image: Array, height: int, width: int) -> Bytes:
    """Stretched from the darkest value to the brightest: registration asks for shapes, not for levels."""
    grey = image.astype(np.float32) if image.ndim == 2 else image.mean(axis=2, dtype=np.float32)
    if np.isnan(grey).any():  # what was not measured has no shape
        grey = np.where(np.isnan(grey), np.nanmean(grey), grey)
    sized = np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR))
    low, high = float(sized.min()), float(sized.max())
    return np.rint((sized - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)


def _rotation(degrees: float, height: int, width: int) -> Doubles:
    """Turn about the middle (3 x 3)."""
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.vstack([turn, [0, 0, 1]])


def _scaling(to: tuple[int, ...], size: tuple[int, ...]) -> Doubles:
    """From pixels of an image of one size to those of another (3 x 3); pixel centres at whole numbers."""
    y, x = to[0] / size[0], to[1] / size[1]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _warp(image: Array, matrix: Doubles, height: int, width: int) -> Array:
    """What an image shows at `matrix` times each pixel; beyond its edge, the edge goes on."""
    return cv2.warpAffine(image, matrix[:2], (width, height), flags=BACKWARDS, borderMode=cv2.BORDER_REPLICATE)
