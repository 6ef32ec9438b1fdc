"""What one image tells at a glance: its kind, a hash, a fingerprint, how bright and how sharp it is, what it lacks."""

import hashlib
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from PIL import Image

from blemish.arrays import Array, Floats
from blemish.errors import ImageError
from blemish.images.encoded import PixelType
from blemish.images.nodata import count_nodata
from blemish.images.probe import ImageKind
from blemish.images.read import Source, constant_end, image_name, read_image
from blemish.images.rules import USUAL, Rules
from blemish.images.training_image import TrainingImage

__all__ = ["SIDE", "Glance", "read_and_glance", "read_glance"]

SIDE = 128
"""Side of a fingerprint: 16 KB an image."""
STEPS = 32
"""A fingerprint counts contrast in so many steps."""
SPARSE = 16
"""Of each axis, every so many pixels are asked first."""
FINE, COARSE = 0.5, 2.0
"""A fingerprint keeps what lies between these two blurs, in its own pixels: no light, no grain."""


@dataclass(frozen=True)
class Glance:
    """What stays of an image once it has been looked at."""

    name: str
    height: int
    width: int
    pixels: PixelType
    """uint8, uint16 or float32."""
    coloured: bool
    """Whether its three channels differ."""
    digest: bytes
    """Of the decoded pixels: two files of one picture agree, however they are compressed without loss."""
    print_P: Array
    """The fingerprint, SIDE x SIDE int8 in a row: structure at even contrast, so that exposure does not count; empty
    where it was not asked for."""
    stops: float
    """Mean brightness as a power of 2 of the brightest value."""
    clipped: float
    """Share of the pixels at the darkest or brightest value there is."""
    sharpness: float
    """Power of 2 of the detail's curvature over its slope: about one less when blurred to twice the width."""
    end: float
    """The share of its last rows or columns that hold one constant value."""
    measured: float
    """The share of its pixels that was measured."""

    @property
    def kind(self) -> ImageKind:
        """What fitting must know before it chooses a size."""
        return ImageKind(self.height, self.width, self.pixels)

    def remembered(
        self, part: str, *, in_memory: bool, pixels: str = "", motion: tuple[float, ...] | None = None
    ) -> TrainingImage:
        """What a model keeps of it, as an image of this part."""
        return TrainingImage(
            path=self.name,
            group=part,
            height=self.height,
            width=self.width,
            pixels=pixels,
            motion=motion,
            end=self.end,
            measured=self.measured,
            in_memory=in_memory,
        )


def read_glance(source: Source, rules: Rules = USUAL, *, prints: bool = True) -> Glance | ImageError:
    """Read one image whole; what cannot be read answers with the error that inspection would give."""
    return read_and_glance(source, rules, prints=prints)[0]


def read_and_glance(source: Source, rules: Rules, *, prints: bool) -> tuple[Glance | ImageError, Array | None]:
    """The same, with the pixels for those who need them next."""
    try:
        image = read_image(source, rules=rules)
    except ImageError as error:
        return error, None
    return glance_at(image, image_name(source), prints=prints), image


def glance_at(image: Array, name: str, *, prints: bool = True) -> Glance:
    """What stays of an image that was read."""
    grey = _grey(image)
    return Glance(
        name=name,
        height=image.shape[0],
        width=image.shape[1],
        pixels=cast(PixelType, str(image.dtype)),
        coloured=image.ndim == 3 and _coloured(image),
        digest=_digest(image),
        print_P=fingerprint(grey) if prints else np.empty(0, np.int8),
        stops=float(np.log2(max(float(grey.mean()), 1e-6) / 255)),
        clipped=_clipped(image),
        sharpness=_sharpness(grey),
        end=constant_end(image),
        measured=1 - count_nodata(image) / (image.shape[0] * image.shape[1]),
    )


def fingerprint(grey: Floats) -> Array:
    """The band of an image that tells parts apart: finer than the light, coarser than the grain, at even contrast."""
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    band = cv2.GaussianBlur(small, (0, 0), FINE) - cv2.GaussianBlur(small, (0, 0), COARSE)
    # One grey level is what is left of a camera's noise: where there is no more than that, there is nothing to compare.
    contrast = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), COARSE) + 1)
    return np.asarray(np.clip(np.rint(band / contrast * STEPS), -127, 127), np.int8).ravel()


def _coloured(image: Array) -> bool:
    """Whether the channels differ anywhere; most coloured images tell by a few of their pixels."""
    return any(bool((part != part[:, :, :1]).any()) for part in (image[::SPARSE, ::SPARSE], image))


def _digest(image: Array) -> bytes:
    whole = hashlib.sha256(f"{image.shape}{image.dtype}".encode())
    whole.update(np.ascontiguousarray(image).data)
    return whole.digest()


def _grey(image: Array) -> Floats:
    """Grey values from 0 to 255; those of float images by their own range."""
    if image.dtype == np.float32:
        low, high = float(np.nanmin(image)), float(np.nanmax(image))
        image = (np.where(np.isnan(image), low, image) - low) * (255 / max(high - low, 1e-12))
    values = image.astype(np.float32)
    if image.dtype == np.uint16:
        values /= 257
    return np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY) if values.ndim == 3 else values, np.float32)


def _clipped(image: Array) -> float:
    if image.dtype == np.float32:
        return 0.0
    values = image.reshape(len(image), -1)
    within = cv2.countNonZero(cv2.inRange(values, 1, int(np.iinfo(image.dtype).max) - 1))
    return (values.size - within) / values.size


def _sharpness(grey: Floats) -> float:
    """How fine the detail is, whatever its contrast: curvature over slope, both of the slightly blurred image."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1)
    slope = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    curvature = cv2.Laplacian(smooth, cv2.CV_32F)
    # OpenCV's deviation sums in float64, in one pass.
    curved, sloped = (float(cv2.meanStdDev(values)[1][0, 0]) for values in (curvature, slope))
    return float(np.log2((curved + 1e-3) / (sloped + 1e-3)))
