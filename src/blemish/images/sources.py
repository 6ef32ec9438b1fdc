"""What callers may give as several images, alike in every call."""

import os
from collections.abc import Iterable, Iterator
from typing import TypeAlias, cast

import numpy as np
from PIL import Image

from blemish.arrays import Array
from blemish.errors import DataError, OptionError
from blemish.images.ahead import read_ahead
from blemish.images.files import is_image, list_images
from blemish.images.matching import is_pattern
from blemish.images.read import Source, is_pair
from blemish.system.address import Address, Place, place_of

__all__ = ["Images", "each_source", "list_sources"]

Images: TypeAlias = Source | Iterable[Source]
"""Several images, in any of these forms:

- a string or path: a folder, a pattern such as `line-3/*.png`, or a file, as on the command line;
- an array: H x W or H x W x 1, 3 or 4 is one image, N x H x W x 1, 3 or 4 are N of them, and so are N x H x W grey ones
  (but for an N of 1, 3 or 4, which looks like channels that come first, and is refused);
- encoded bytes, a Pillow image, or a pair (name, image): one image;
- a list, a generator or anything else that can be iterated: of all these but arrays of N images, in any mixture.
  Folders and patterns in it are expanded where they stand; a file that is missing is an error of that image alone.
"""


def list_sources(images: Images, *, recursive: bool = False) -> list[Source]:
    """All the images, in order; may be none. Folders are searched with all below them if `recursive`.

    Raises DataError for a folder or pattern without images, OptionError for what is no images.
    """
    if isinstance(images, str | os.PathLike):
        return list(list_images([images], recursive=recursive))
    if isinstance(images, np.ndarray):
        return _of_array(images)
    if isinstance(images, bytes | Image.Image):
        return [images]
    if isinstance(images, tuple) and is_pair(images):
        return [images]
    if not isinstance(images, Iterable):
        raise OptionError(
            f"A folder, a pattern, images or a list of them is wanted, but {type(images).__name__} came; give one."
        )
    return list(_expanded(images, recursive=recursive))


def each_source(images: Images, *, recursive: bool = False) -> Iterator[Source]:
    """The images one after the other; what is iterated, but for lists and tuples, is not read ahead of.

    Raises DataError where there are none: at once, or for a generator when it ends.
    """
    lazily = isinstance(images, Iterable) and not isinstance(
        images, str | os.PathLike | bytes | list | tuple | np.ndarray | Image.Image
    )
    if lazily:
        return _some(_expanded(cast(Iterable[Source], images), recursive=recursive))
    return read_ahead(list(_some(list_sources(images, recursive=recursive))))


def _of_array(array: Array) -> list[Source]:
    """One image, or N of them along the first axis."""
    if array.ndim == 1 and array.dtype.kind in "OU":
        return list_sources(array.tolist())
    grey = array.ndim == 3 and not {array.shape[0], array.shape[2]} & {1, 3, 4}
    return list(array) if array.ndim == 4 or grey else [array]


def _expanded(images: Iterable[Source], *, recursive: bool) -> Iterator[Source]:
    """Each image, those of folders and patterns where these stand."""
    for image in images:
        place = place_of(image) if isinstance(image, str | os.PathLike) else None
        if place and _names_several(place):
            yield from list_images([place], recursive=recursive)
        else:
            yield place if isinstance(place, Address) else image


def _names_several(place: Place) -> bool:
    if isinstance(place, Address) and is_image(place) and not is_pattern(place):
        return False  # by its ending: to ask of each would cost a request
    return place.is_dir() or (is_pattern(place) and not place.exists())


def _some(sources: Iterable[Source]) -> Iterator[Source]:
    """The same; raises DataError where there are none, since a job that inspects nothing must not look like one that
    found nothing."""
    came = False
    for source in sources:
        came = True
        yield source
    if not came:
        raise DataError("No images were given; give a folder, a pattern, files, arrays or pairs (name, array).")
