"""Decode whatever users hold (paths, bytes, Pillow images, arrays) into one array of pixels."""

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypeGuard, cast

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from blemish.arrays import Array
from blemish.errors import ImageError, OptionError

__all__ = ["Channels", "ImageKind", "PixelType", "Source", "image_name", "is_pair", "keep", "probe_image", "read_image"]

Held: TypeAlias = bytes | Image.Image | Array
Pair: TypeAlias = tuple[str | os.PathLike[str], Held]
Source: TypeAlias = str | os.PathLike[str] | Held | Pair
"""One image: a path, encoded bytes, a Pillow image, an array, or a pair of a name and one of the latter three."""
Channels = Literal["RGB", "BGR"]
PixelType = Literal["uint8", "uint16", "float32"]

MAX_PIXELS = 178_956_970
"""Larger images are refused before they are decoded (Pillow's own bound): a few kilobytes can claim any size."""

_WIDE_GREY = {"I;16", "I;16L", "I;16B", "I;16N", "I"}


@dataclass(frozen=True)
class ImageKind:
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


def is_pair(source: object) -> TypeGuard[Pair]:
    """Whether this is an image under a name: (name, bytes, Pillow image or array)."""
    return (
        isinstance(source, tuple)
        and len(source) == 2
        and isinstance(source[0], str | os.PathLike)
        and isinstance(source[1], bytes | Image.Image | np.ndarray)
    )


def keep(source: Source, *, channels: Channels = "RGB") -> Source:
    """The image as what gives the same pixels whenever it is read: a file's bytes, or a copy of the pixels.

    Raises ImageError as `read_image` does, though files are decoded there only.
    """
    name, image = _unpaired(source)
    if isinstance(image, bytes):
        return source
    if isinstance(image, str | os.PathLike):
        return name, _content(image, name)
    pixels = read_image(source, channels=channels)
    owned = not (isinstance(image, np.ndarray) and np.may_share_memory(pixels, image))
    return name, pixels if owned else pixels.copy()


def _unpaired(source: Source) -> tuple[str, str | os.PathLike[str] | Held]:
    """How an image is called, and the image."""
    if not isinstance(source, tuple):
        return image_name(source), source
    if not is_pair(source):
        raise ImageError("A tuple is no image, unless it is a pair: a name, and bytes, a Pillow image or an array.")
    return image_name(source), source[1]


def read_image(source: Source, *, channels: Channels = "RGB") -> Array:
    """Decode one image, upright (EXIF orientation applied), alpha dropped.

    `channels` says how arrays order their colours; files and Pillow images know theirs.
    Returns H x W (grey) or H x W x 3 (RGB) of uint8, uint16 or float32.
    Raises ImageError, naming the image, for anything that cannot be decoded wholly.
    """
    if channels not in ("RGB", "BGR"):
        raise OptionError(f'channels="{channels}" is not known; give "RGB" or "BGR" (OpenCV\'s order).')
    name, held = _unpaired(source)
    if isinstance(held, np.ndarray):
        return _from_array(held, channels, name)
    with _opened(held, name) as image:
        if not isinstance(held, Image.Image) and _is_wide_colour(image):
            return _wide_colour(held, image, name)
        return _from_pillow(image, name)


def probe_image(source: Source) -> ImageKind:
    """The upright size and the pixel type of an image, from its header where its format allows. Raises ImageError."""
    name, held = _unpaired(source)
    if isinstance(held, np.ndarray):
        array = _from_array(held, "RGB", name)
        return ImageKind(array.shape[0], array.shape[1], cast(PixelType, str(array.dtype)))
    with _opened(held, name) as image:
        _check_size(image, name)
        pixels = _pixel_type(held, image)  # first: a PNG is decoded to look for its orientation
        # Pillow already gives the upright size of a TIFF.
        turned = _orientation(image) in (5, 6, 7, 8) and image.format != "TIFF"
        height, width = (image.width, image.height) if turned else (image.height, image.width)
        return ImageKind(height, width, pixels)


def _pixel_type(source: Source, image: Image.Image) -> PixelType:
    if image.mode in _WIDE_GREY or (not isinstance(source, Image.Image) and _is_wide_colour(image)):
        return "uint16"
    return "float32" if image.mode == "F" else "uint8"


def _orientation(image: Image.Image) -> int:
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes | Image.Image, name: str) -> Iterator[Image.Image]:
    """Open what is not open yet, and say what is wrong with it in words whenever it fails."""
    with _explained(name), warnings.catch_warnings():
        # Pillow warns of sizes that are large but allowed here, and of odd but readable metadata.
        warnings.simplefilter("ignore")
        if isinstance(source, Image.Image):
            yield source
            return
        _check_file(source, name)
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            yield image


def _content(path: str | os.PathLike[str], name: str) -> bytes:
    """All bytes of an image file."""
    with _explained(name):
        _check_file(path, name)
        return Path(path).read_bytes()


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say in words what is wrong with an image whenever it cannot be read."""
    try:
        yield
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not an image in a format that can be read; is it damaged or misnamed?") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name} claims more pixels than are ever read ({MAX_PIXELS:,}).") from None
    except MemoryError:
        raise ImageError(f"{name} does not fit in memory; tile or shrink it first.") from None
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, struct.error) as error:
        raise ImageError(f"{name} cannot be decoded ({error}); is it damaged or cut short?") from None


def _check_file(source: object, name: str) -> None:
    if isinstance(source, bytes):
        if not source:
            raise ImageError(f"{name} is empty (0 bytes); was it read wholly?")
        return
    if not isinstance(source, str | os.PathLike):
        raise ImageError(f"{name} is no image; pass a path, encoded bytes, a Pillow image or a NumPy array.")
    path = Path(source)
    if not path.exists():
        raise ImageError(f"{name} does not exist; check the path.")
    if path.is_dir():
        raise ImageError(f"{name} is a folder, not an image.")
    if path.stat().st_size == 0:
        raise ImageError(f"{name} is an empty file (0 bytes); was it copied wholly?")


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"{name} claims {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read.")


def _from_pillow(image: Image.Image, name: str) -> Array:
    """Bring every Pillow mode to grey or RGB without changing the meaning of its values."""
    _check_size(image, name)
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format in {"TIFF", "GIF", "WEBP", "PNG"}:
        raise ImageError(f"{name} holds {pages} pages or frames; save the one to inspect as its own file.")
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _WIDE_GREY:
        return _wide_grey(upright, name)
    if upright.mode == "F":
        return _finite(np.asarray(upright, np.float32), name)
    if upright.mode in {"1", "L"}:
        return np.asarray(upright.convert("L"))
    return np.asarray(upright.convert("RGB"))


def _is_wide_colour(image: Image.Image) -> bool:
    """Whether a file just opened holds 16-bit colours, of which Pillow would keep the upper 8 bits only."""
    return len(image.getbands()) > 1 and any(";16" in str(tile[3]) for tile in getattr(image, "tile", []))


def _wide_colour(source: str | os.PathLike[str] | bytes, image: Image.Image, name: str) -> Array:
    """Decode 16-bit colours with OpenCV, after Pillow has found the file whole."""
    orientation = 1 if image.format == "TIFF" else _orientation(image)  # OpenCV turns TIFF upright, and no PNG
    _from_pillow(image, name)
    encoded = np.frombuffer(source, np.uint8) if isinstance(source, bytes) else np.fromfile(source, np.uint8)
    values = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise ImageError(f"{name} holds 16-bit colours in a form that cannot be read; save it as a plain PNG.")
    return np.ascontiguousarray(_upright(values[:, :, 2::-1], orientation))


def _upright(values: Array, orientation: int) -> Array:
    """Apply an EXIF orientation: 2, 4, 5 and 7 mirror as well, 3 turns by half, 5 to 8 by a quarter."""
    if orientation in (5, 6, 7, 8):
        values = np.swapaxes(values, 0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return values[::rows, ::columns]


def _wide_grey(image: Image.Image, name: str) -> Array:
    """Grey values of 16 bits, however Pillow holds them."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ImageError(f"{name} holds 32-bit values beyond 0 to 65535; save it as 16-bit or as float.")
    return values.astype(np.uint16)


def _finite(values: Array, name: str) -> Array:
    if not np.isfinite(values).all():
        raise ImageError(f"{name} holds NaN or infinite pixels; mend them before inspection.")
    return values


def _from_array(array: Array, channels: Channels, name: str) -> Array:
    """Check shape and type of an array, and bring its colours into RGB order."""
    shape = "x".join(map(str, array.shape))
    what = "An array" if name == image_name(array) else f"{name}, an array"
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        raise ImageError(f"{what} of shape {shape} has its channels first; pass height x width x channels.")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"{what} of shape {shape} is no image; pass height x width, or height x width x 1, 3 or 4.")
    if array.size == 0:
        raise ImageError(f"{what} of shape {shape} holds no pixels.")
    if array.dtype in (np.float64, np.float16):
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
            array = array.astype(np.float32)
    if array.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(f"{what} of {array.dtype} is no image; convert it to uint8, uint16 or float32.")
    if array.dtype == np.float32:
        _finite(array, "The array" if name == image_name(array) else name)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3:
        array = array[:, :, :3] if channels == "RGB" else array[:, :, 2::-1]
    return np.ascontiguousarray(array)
