"""Decode whatever users hold (paths, bytes, Pillow images, arrays) into one array of pixels."""

import os
from typing import Literal, NamedTuple, TypeAlias, TypeGuard, cast

import numpy as np
from PIL import Image

from blemish.arrays import Array
from blemish.errors import ImageError, OptionError
from blemish.images.decode import PixelType, Rules, decode, header, orientation, pixel_type, pixels_of
from blemish.images.encoded import Encoded, damaged, encoded_file, several_pages
from blemish.images.lacking import without_nodata

__all__ = [
    "USUAL",
    "Channels",
    "ImageKind",
    "PixelType",
    "Source",
    "has_name",
    "image_name",
    "is_pair",
    "keep",
    "probe_image",
    "read_image",
]

Held: TypeAlias = bytes | Image.Image | Array
Pair: TypeAlias = tuple[str | os.PathLike[str], Held]
Source: TypeAlias = str | os.PathLike[str] | Held | Pair
"""One image: a path, encoded bytes, a Pillow image, an array, or a pair of a name and one of the latter three."""
Channels = Literal["RGB", "BGR"]

USUAL = Rules()
"""What is read where nobody says otherwise."""


class ImageKind(NamedTuple):
    """What fitting must know of an image before it chooses a size."""

    height: int
    width: int
    pixels: PixelType


def image_name(source: object) -> str:
    """How messages and results call an image: its path or name, or what it is where it has none."""
    if is_pair(source):
        source = source[0]
    if isinstance(source, str | os.PathLike):
        return str(os.fspath(source))
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or "<image>"
    return "<array>" if isinstance(source, np.ndarray) else f"<{type(source).__name__}>"


def has_name(source: object) -> bool:
    """Whether an image has a path or name by which it can be told from others."""
    if isinstance(source, Image.Image):
        return bool(getattr(source, "filename", ""))
    return isinstance(source, str | os.PathLike) or is_pair(source)


def is_pair(source: object) -> TypeGuard[Pair]:
    """Whether this is an image under a name: (name, bytes, Pillow image or array)."""
    return (
        isinstance(source, tuple)
        and len(source) == 2
        and isinstance(source[0], str | os.PathLike)
        and isinstance(source[1], bytes | Image.Image | np.ndarray)
    )


def keep(source: Source, *, channels: Channels = "RGB", rules: Rules = USUAL) -> Source:
    """The image as what gives the same pixels whenever it is read: a file's bytes, or a copy of the pixels.

    Raises ImageError as `read_image` does, though files are decoded there only.
    """
    name, image = _unpaired(source)
    if isinstance(image, bytes):
        return source
    if isinstance(image, str | os.PathLike):
        return name, encoded_file(image).data
    pixels = read_image(source, channels=channels, rules=rules)
    owned = not (isinstance(image, np.ndarray) and np.may_share_memory(pixels, image))
    return name, pixels if owned else pixels.copy()


def _unpaired(source: Source) -> tuple[str, str | os.PathLike[str] | Held]:
    """How an image is called, and the image."""
    if not isinstance(source, tuple):
        return image_name(source), source
    if not is_pair(source):
        raise ImageError("A tuple is no image, unless it is a pair: a name, and bytes, a Pillow image or an array.")
    return image_name(source), source[1]


def read_image(source: Source, *, channels: Channels = "RGB", rules: Rules = USUAL) -> Array:
    """Decode one image, upright (EXIF orientation applied), alpha dropped.

    `channels` says how arrays order their colours; files and Pillow images know theirs. `rules` says what is refused.
    Returns H x W (grey) or H x W x 3 (RGB) of uint8, uint16 or float32; of float32, pixels that were not measured are
    NaN. Raises ImageError, naming the image, for anything that cannot be decoded wholly.
    """
    if channels not in ("RGB", "BGR"):
        raise OptionError(f'channels="{channels}" is not known; give "RGB" or "BGR" (OpenCV\'s order).')
    name, image = _opened(source)
    if isinstance(image, np.ndarray):
        return _from_array(image, channels, name, rules)
    try:
        return decode(image, rules) if isinstance(image, Encoded) else _from_pillow(image, name, rules)
    except ImageError:
        raise
    except Exception as error:  # whatever a decoder makes of damaged bytes is this image's error
        raise _undecodable(name, error) from None


def probe_image(source: Source, *, rules: Rules = USUAL) -> ImageKind:
    """The upright size and the pixel type of an image, from its header where its format allows. Raises ImageError."""
    name, image = _opened(source)
    if isinstance(image, np.ndarray):
        array = _from_array(image, "RGB", name, rules)
        return ImageKind(array.shape[0], array.shape[1], cast(PixelType, str(array.dtype)))
    try:
        return ImageKind(*header(image, rules)) if isinstance(image, Encoded) else _kind_of_pillow(image, name, rules)
    except ImageError:
        raise
    except Exception as error:  # as above
        raise _undecodable(name, error) from None


def _opened(source: Source) -> tuple[str, Encoded | Image.Image | Array]:
    """How an image is called, and the image; of a path, the bytes of its file."""
    name, image = _unpaired(source)
    if isinstance(image, bytes):
        return name, Encoded(name, image)
    if isinstance(image, str | os.PathLike):
        return name, encoded_file(image)
    if not isinstance(image, Image.Image | np.ndarray):
        raise ImageError(f"{name} is no image; pass a path, encoded bytes, a Pillow image or a NumPy array.")
    return name, image


def _from_pillow(image: Image.Image, name: str, rules: Rules) -> Array:
    rules.bounds.check(image.width, image.height, None, name)
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format in {"TIFF", "GIF", "WEBP", "PNG"}:
        raise several_pages(pages, name)
    values = pixels_of(image, name)
    return without_nodata(values, name, None, rules.nodata) if values.dtype == np.float32 else values


def _kind_of_pillow(image: Image.Image, name: str, rules: Rules) -> ImageKind:
    rules.bounds.check(image.width, image.height, None, name)
    # Pillow already gives the upright size of a TIFF.
    turned = orientation(image) in (5, 6, 7, 8) and image.format != "TIFF"
    height, width = (image.width, image.height) if turned else (image.height, image.width)
    return ImageKind(height, width, pixel_type(image))


def _undecodable(name: str, error: Exception) -> ImageError:
    if isinstance(error, MemoryError):
        return ImageError(f"{name} does not fit in memory; tile or shrink it first.")
    if str(error).lower().startswith("unsupported"):
        return ImageError(f"{name} is of a kind that is not supported ({error}); convert it to PNG or TIFF.")
    return damaged(name, str(error))


def _from_array(array: Array, channels: Channels, name: str, rules: Rules) -> Array:
    """Check shape and type of an array, and bring its colours into RGB order."""
    shape = "x".join(map(str, array.shape))
    what = "An array" if name == image_name(array) else f"{name}, an array"
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        raise ImageError(f"{what} of shape {shape} has its channels first; pass height x width x channels.")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"{what} of shape {shape} is no image; pass height x width, or height x width x 1, 3 or 4.")
    if array.size == 0:
        raise ImageError(f"{what} of shape {shape} holds no pixels.")
    if not array.dtype.isnative and array.dtype.kind in "uif":
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype in (np.float64, np.float16):
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
            array = array.astype(np.float32)
    if array.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(f"{what} of {array.dtype} is no image; convert it to uint8, uint16 or float32.")
    if array.dtype == np.float32:
        array = without_nodata(array, "The array" if name == image_name(array) else name, None, rules.nodata)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3:
        array = array[:, :, :3] if channels == "RGB" else array[:, :, 2::-1]
    return np.ascontiguousarray(array)
