"""Where to look: areas of the image that are included or ignored, as the user drew them, and as a mask.

Coordinates are pixels of the first good image, x to the right, y down. A pixel is looked at when it lies in some
included area (or none is given) and in no ignored one.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from blemish.arrays import Array, Bools
from blemish.errors import ImageError, OptionError
from blemish.images.inline import picture_from_text, picture_to_text
from blemish.images.mask import read_mask

__all__ = ["Places", "hide", "same_aspect"]

ASPECT_TOLERANCE = 0.01
"""Images whose aspects differ by no more than this show the same thing at another resolution."""

Point = tuple[float, float]

_NUMBER = r"-?\d+(?:\.\d+)?"
_RECTANGLE = re.compile(rf"({_NUMBER}),({_NUMBER}),({_NUMBER})x({_NUMBER})")
_POLYGON = re.compile(rf"{_NUMBER},{_NUMBER}(?:\s+{_NUMBER},{_NUMBER})*")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")

    points: tuple[Point, ...]
    shape_type: Literal["polygon", "rectangle"] = "polygon"


class _Drawing(BaseModel):
    """What is read of a JSON file as labelme writes it."""

    model_config = ConfigDict(extra="ignore")

    shapes: Annotated[tuple[_Shape, ...], Field(min_length=1)]
    height: int | None = Field(None, alias="imageHeight")
    width: int | None = Field(None, alias="imageWidth")


class Places(BaseModel):
    """Which pixels of the first good image count, as model files keep them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mask: str
    """A one-bit PNG in base64, of the size of the first good image: white counts."""

    @model_validator(mode="after")
    def _is_a_mask(self) -> "Places":
        if self.mask_HW.dtype != np.bool_ or not self.mask_HW.any():
            raise ValueError("not a one-bit picture with something white")
        return self

    @cached_property
    def mask_HW(self) -> Bools:
        """True where a pixel counts."""
        return picture_from_text(self.mask)

    @classmethod
    def drawn(cls, include: Sequence[str], ignore: Sequence[str], height: int, width: int) -> "Places | None":
        """The mask of areas drawn on an image of this size; None where no area is given.

        Raises OptionError for an area that cannot be read, one beyond the image, and where nothing is left.
        """
        if not include and not ignore:
            return None
        mask_HW = _union("include", include, height, width) if include else np.ones((height, width), np.bool_)
        mask_HW &= ~_union("ignore", ignore, height, width)
        if not mask_HW.any():
            raise OptionError("Options include and ignore leave no pixel to look at; make the areas agree.")
        return cls(mask=picture_to_text(mask_HW))

    def of_image(self, height: int, width: int, name: str) -> Bools:
        """The mask (H x W) for an image of this size: scaled where the aspect is the same, else ImageError."""
        if self.mask_HW.shape == (height, width):
            return self.mask_HW
        own_height, own_width = self.mask_HW.shape
        if not same_aspect(height, width, own_height, own_width):
            raise ImageError(
                f"{name} is {width} x {height} pixels but the areas to look at were drawn on {own_width} x "
                f"{own_height}, another aspect; bring the image to the same field of view."
            )
        scaled = cv2.resize(self.mask_HW.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return np.asarray(scaled, np.uint8).view(np.bool_)


def same_aspect(height: int, width: int, other_height: int, other_width: int) -> bool:
    """Whether two sizes differ by scale alone, to a hundredth or to one pixel of rounding."""
    difference = abs(width * other_height - height * other_width)
    one_pixel = max(other_height, other_width)
    return difference <= max(ASPECT_TOLERANCE * height * other_width, one_pixel)


def hide(image: Array, mask_HW: Bools) -> Array:
    """The image with every pixel that does not count replaced by the mean of those that do.

    What lies there can then not reach the patches beside it through the network.
    """
    if mask_HW.all():
        return image
    hidden = image.copy()
    mean = image[mask_HW].mean(axis=0, dtype=np.float64)
    hidden[~mask_HW] = mean if image.dtype == np.float32 else np.rint(mean)
    return hidden


def _union(option: str, areas: Sequence[str], height: int, width: int) -> Bools:
    """The pixels inside any of the areas."""
    mask_HW = np.zeros((height, width), np.bool_)
    for area in areas:
        mask_HW |= _area(option, area, height, width)
    return mask_HW


def _area(option: str, area: str, height: int, width: int) -> Bools:
    """The pixels inside one area: a rectangle, a polygon, or what a file holds."""
    rectangle = _RECTANGLE.fullmatch(area)
    if rectangle:
        x, y, across, down = map(float, rectangle.groups())
        return _filled(option, area, [_corners(x, y, x + across, y + down)], height, width)
    if _POLYGON.fullmatch(area):
        points = [tuple(map(float, point.split(","))) for point in area.split()]
        return _filled(option, area, [[(x, y) for x, y in points]], height, width)
    path = Path(area)
    if not path.is_file():
        raise OptionError(
            f'Option {option}="{area}" is neither a rectangle (x,y,WIDTHxHEIGHT), nor a polygon (x,y x,y x,y ...), '
            "nor a mask image or a .json file of labelme that is there."
        )
    read = _from_json if path.suffix.lower() == ".json" else _from_image
    return read(option, path, height, width)


def _from_image(option: str, path: Path, height: int, width: int) -> Bools:
    mask_HW = read_mask(path)
    _check_size(option, path, mask_HW.shape[0], mask_HW.shape[1], height, width)
    return mask_HW


def _from_json(option: str, path: Path, height: int, width: int) -> Bools:
    """The polygons and rectangles of a labelme file; labels are not read."""
    try:
        drawing = _Drawing.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "its text"
        raise OptionError(
            f"Option {option}: {path} is no labelme file of polygons and rectangles ({field}: {first['msg']})."
        ) from None
    _check_size(option, path, drawing.height or height, drawing.width or width, height, width)
    polygons: list[Sequence[Point]] = []
    for shape in drawing.shapes:
        corners = np.array(shape.points).reshape(-1, 2)
        if shape.shape_type == "rectangle" and len(corners) == 2:
            polygons.append(_corners(*corners.min(axis=0), *corners.max(axis=0)))
        else:
            polygons.append(shape.points)
    return _filled(option, str(path), polygons, height, width)


def _check_size(option: str, path: Path, found_height: int, found_width: int, height: int, width: int) -> None:
    if (found_height, found_width) != (height, width):
        raise OptionError(
            f"Option {option}: {path} is {found_width} x {found_height} pixels but the first good image is "
            f"{width} x {height}; draw the areas on an image of that size."
        )


def _corners(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _filled(option: str, area: str, polygons: Sequence[Sequence[Point]], height: int, width: int) -> Bools:
    """The pixels whose centres lie inside any of the polygons (even-odd), coordinates counted from pixel edges."""
    mask_HW = np.zeros((height, width), np.bool_)
    for points in polygons:
        _check_polygon(option, area, points, height, width)
        mask_HW |= _inside(points, height, width)
    return mask_HW


def _check_polygon(option: str, area: str, points: Sequence[Point], height: int, width: int) -> None:
    if len(points) < 3:
        raise OptionError(f'Option {option}="{area}" has {len(points)} point(s); a polygon needs 3 or more.')
    for x, y in points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise OptionError(
                f'Option {option}="{area}" reaches ({x:g}, {y:g}), beyond the first good image, which is {width} x '
                f"{height} pixels; keep areas on it."
            )


def _inside(points: Sequence[Point], height: int, width: int) -> Bools:
    """Pixels whose centre has an odd number of the outline's edges to its left."""
    crossings_HW = np.zeros((height, width), np.bool_)
    corners = np.array(points, np.float64)
    centres_y, centres_x = np.arange(height) + 0.5, np.arange(width) + 0.5
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        rows = np.flatnonzero((centres_y >= min(y0, y1)) & (centres_y < max(y0, y1)))
        crossing_x = x0 + (centres_y[rows] - y0) * (x1 - x0) / (y1 - y0 if y1 != y0 else 1)
        crossings_HW[rows] ^= centres_x >= crossing_x[:, None]
    return crossings_HW
