"""Choose one transform for all images of a model, from the good ones."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from blemish.errors import DataError, ImageError, OptionError
from blemish.images.encoded import PixelType
from blemish.images.probe import ImageKind
from blemish.images.read import Source, image_name, read_image
from blemish.images.rules import USUAL, Rules
from blemish.images.tiling import Tiling
from blemish.images.transform import CROP_MARGIN, Resize, Transform
from blemish.options.looks import LookOption
from blemish.options.settings import Settings

__all__ = ["choose_resize", "choose_transform", "describes_one_look", "looks_of_effort"]

SHARED_ASPECT = 0.1
"""Aspects are shared where the middle four fifths of them differ by no more than a tenth."""

AREA = 224
"""Side of the square with as many pixels as an input has by default."""

SIDES = {"quick": (AREA,), "standard": (AREA, 2 * AREA), "thorough": (AREA, 2 * AREA)}
"""Sides of the largest look of each effort, ascending; which of them follows the images."""

ENLARGED = 0.55
"""A look may be larger than the images by less than a factor of two: the network's levels then see finer parts."""

LITE2 = "efficientnet_lite2"

LOOKS = {
    "standard": (("", 1.0, "2+3"), ("", 0.5, "2+3:even"), ("", 0.5, "3+4:even")),
    "thorough": (
        (LITE2, 1.0, "2+3"),
        ("", 1.0, "3+4:even"),
        (LITE2, 0.5, "2+3:even"),
        (LITE2, 0.5, "3+4:even"),
        ("", 0.5, "3+4:even"),
    ),
}
"""The looks of each effort: the network beside the usual one, the side as a share of the largest, and the levels.

One look alone is never best everywhere: small inputs see large faint defects, large ones small sharp ones, deep levels
forms, and even light what brightness hides; raw light is always among them, since brightness can be the defect. A
second network errs elsewhere. Looks of one network, size and light are answered by one run of it.
"""

TILE, MARGIN_CELLS = 1024, 8
"""Side of tiles by default. A margin of 8 cells of the deepest tap leaves scores within a hundredth of those of the
whole image at once (benchmarks/tiling.py)."""

RANGE_IMAGES = 64
"""The number of images, evenly spread, that set the range of 16-bit and float pixels."""


def choose_transform(
    sources: Sequence[Source],
    kinds: Sequence[ImageKind],
    settings: Settings,
    fixed: tuple[int, int] | None,
    stride: int,
    rules: Rules = USUAL,
) -> Transform:
    """One input size for all images: the target area, in their median aspect or square, rounded to the stride."""
    if not sources:
        raise DataError("No images were given; at least 2 good images are needed.")
    pixels = _common_pixels(sources, kinds)
    if pixels == "uint8" and settings.pixel_range:
        raise OptionError("Option pixel_range is for 16-bit and float images; these are 8-bit: leave it out.")
    low, high = settings.pixel_range or _pixel_range(sources, pixels, rules)
    resize = choose_resize(kinds, settings)
    unit = stride * settings.patch_stride if settings.tiles else stride
    height, width = fixed or _input_size(kinds, settings, resize, unit)
    tiling = _tiling(settings, height, width, stride, unit)
    return Transform(height=height, width=width, resize=resize, pixels=pixels, low=low, high=high, tiling=tiling)


def looks_of_effort(settings: Settings, kinds: Sequence[ImageKind]) -> list[str]:
    """The looks that the effort asks for at these images' resolution; none where the settings describe one look.

    A look larger than the images shows nothing new, so that small images get smaller ones. Another network than the
    usual one takes all looks.
    """
    if settings.effort == "quick" or describes_one_look(settings) or not kinds:
        return []
    native = math.sqrt(float(np.median([kind.height * kind.width for kind in kinds])))
    largest = max((side for side in SIDES[settings.effort] if native >= side * ENLARGED), default=SIDES["quick"][0])
    other = "backbone" in settings.asked()
    looks = [
        replace(LookOption.parse(f"{int(largest * share)}:{levels}"), network="" if other else network)
        for network, share, levels in LOOKS[settings.effort]
    ]
    return [str(look) for look in dict.fromkeys(looks)]


def describes_one_look(settings: Settings) -> bool:
    """Whether the settings say how one look sees, so that the effort has no choice."""
    own = settings.size != "auto" or settings.taps or settings.tiles or settings.image_score != "peak"
    return settings.preset == "paper" or bool(own)


def _log_aspects(kinds: Sequence[ImageKind]) -> list[float]:
    """Logarithms treat 2:1 and 1:2 alike."""
    return [math.log(kind.width / kind.height) for kind in kinds]


def choose_resize(kinds: Sequence[ImageKind], settings: Settings) -> Resize:
    """What "auto" means for these images.

    Images of one camera share an aspect, which letterboxing keeps. Where aspects differ (crops of parts of all
    sizes), padding would take from the part; on Magnetic Tile, stretching is then better by a point of AUROC.
    """
    if settings.resize != "auto":
        return settings.resize
    narrow, wide = np.percentile(_log_aspects(kinds), [10, 90])
    return "letterbox" if wide - narrow <= SHARED_ASPECT else "stretch"


def _input_size(kinds: Sequence[ImageKind], settings: Settings, resize: Resize, unit: int) -> tuple[int, int]:
    size = settings.size
    if size == "auto":
        largest = max((LookOption.parse(look).side for look in settings.looks), default=AREA)
        size = "native" if settings.tiles else largest
    if size == "native":
        margin = CROP_MARGIN if resize == "crop" else 1.0
        sides = ([kind.height for kind in kinds], [kind.width for kind in kinds])
        height, width = (-(-round(float(np.median(side)) / margin) // unit) * unit for side in sides)
        return height, width
    if isinstance(size, tuple):
        wanted = float(size[0]), float(size[1])
    else:
        aspect = math.exp(np.median(_log_aspects(kinds))) if resize == "letterbox" else 1.0
        wanted = size / math.sqrt(aspect), size * math.sqrt(aspect)
    if resize == "letterbox" and settings.looks:  # their unit is large: rounding down would shrink the part by a tenth
        return math.ceil(wanted[0] / unit) * unit, math.ceil(wanted[1] / unit) * unit
    return max(unit, round(wanted[0] / unit) * unit), max(unit, round(wanted[1] / unit) * unit)


def _tiling(settings: Settings, height: int, width: int, stride: int, unit: int) -> Tiling | None:
    """How an input of this size is tiled; None where one tile holds it."""
    if settings.tiles is None:
        return None
    margin = -(-MARGIN_CELLS * stride // unit) * unit
    side = TILE if settings.tiles == "auto" else settings.tiles
    side = max(round(side / unit) * unit, unit)
    if side >= max(height, width):
        return None
    if side < 2 * margin + unit:
        raise OptionError(
            f"Option tiles={settings.tiles} cannot be used: tiles overlap by {2 * margin} pixels with this network, so "
            f"give {2 * margin + unit} or more."
        )
    return Tiling(side=side, margin=margin, unit=unit)


def _common_pixels(sources: Sequence[Source], kinds: Sequence[ImageKind]) -> PixelType:
    first = kinds[0]
    for source, kind in zip(sources, kinds, strict=True):
        if kind.pixels != first.pixels:
            raise DataError(
                f"{image_name(sources[0])} has {first.pixels} pixels but {image_name(source)} has {kind.pixels}; "
                f"fit on images of one kind."
            )
    return first.pixels


class PixelRange(NamedTuple):
    low: float
    high: float


def _pixel_range(sources: Sequence[Source], pixels: PixelType, rules: Rules) -> PixelRange:
    """The values the good images use, with a tenth to spare on both sides for what defects may add."""
    if pixels == "uint8":
        return PixelRange(0.0, 255.0)
    some = sources[:: math.ceil(len(sources) / RANGE_IMAGES)]
    extremes = [np.nanpercentile(read_image(source, rules=rules), [0.1, 99.9]) for source in some]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    if low == high:
        raise ImageError(f"The good images hold a single value ({low:g}) everywhere; nothing can be learnt from them.")
    spare = (high - low) / 10
    return PixelRange(float(low - spare), float(high + spare))
