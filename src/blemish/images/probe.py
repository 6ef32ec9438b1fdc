"""The size and the kind of an image before it is decoded, from its header where its format allows."""

from typing import NamedTuple, cast

from blemish.errors import ImageError
from blemish.images.encoded import Encoded, PixelType
from blemish.images.exif import TURNED
from blemish.images.read import Source, header, opened, orientation, read_image, undecodable
from blemish.images.rules import USUAL, Rules

__all__ = ["ImageKind", "probe_image"]


class ImageKind(NamedTuple):
    """What fitting must know of an image before it chooses a size."""

    height: int
    """Upright, in pixels."""
    width: int
    pixels: PixelType


def probe_image(source: Source, *, rules: Rules = USUAL) -> ImageKind:
    """The upright size and the pixel type of an image. Raises ImageError."""
    image = opened(source)[1]
    if isinstance(image, Encoded):
        return _kind_of_file(image, rules)
    array = read_image(source, rules=rules)
    return ImageKind(array.shape[0], array.shape[1], cast(PixelType, str(array.dtype)))


def _kind_of_file(encoded: Encoded, rules: Rules) -> ImageKind:
    try:
        known = header(encoded, rules)
        turned = known.image is not None and orientation(known.image) in TURNED
    except ImageError:
        raise
    except Exception as error:  # whatever a decoder makes of a damaged header is this image's error
        raise undecodable(encoded.name, error) from None
    height, width = (known.width, known.height) if turned else (known.height, known.width)
    return ImageKind(height, width, known.pixels)
