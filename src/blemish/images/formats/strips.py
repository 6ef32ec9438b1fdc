"""TIFF pixels that Pillow would cut, scale or refuse, taken from the strips themselves."""

import math

import numpy as np

from blemish.arrays import Array
from blemish.errors import ImageError
from blemish.images.formats.tiff_kind import (
    BLACK_IS_ZERO,
    CIELAB,
    CMYK,
    DEFLATE,
    FAX,
    FLOAT,
    JPEG,
    LZMA,
    LZW,
    PACKBITS,
    PALETTE,
    PLAIN,
    RGB,
    SIGNED,
    UNSIGNED,
    WHITE_IS_ZERO,
    YCBCR,
    ZSTD,
    TiffKind,
    inflated,
    part_bytes,
)

__all__ = ["check_supported", "not_supported", "opencv_gives", "own_pixels", "pillow_gives"]

PILLOW_BITS = {UNSIGNED: (1, 2, 4, 8, 12, 16, 32), SIGNED: (16, 32), FLOAT: (32,)}
"""Grey values that Pillow gives exactly."""
NUMPY_BITS = {UNSIGNED: (8, 16), FLOAT: (16, 32, 64)}
"""Values that are taken from the file here, where Pillow would not give them exactly."""
COMPRESSIONS = frozenset({PLAIN, *FAX, LZW, JPEG, *DEFLATE, PACKBITS, LZMA, ZSTD})
"""Compressions that some decoder here reads."""


SMALL_SAMPLES = {
    WHITE_IS_ZERO: (1, 2),
    BLACK_IS_ZERO: (1, 2),
    RGB: (3, 4, 5, 6),
    PALETTE: (1, 2),
    CMYK: (4, 5, 6),
    YCBCR: (3,),
    CIELAB: (3,),
}
"""Values a pixel that Pillow knows, by what they mean, where each has 8 bits or less."""
DIFFERENCES = frozenset({PLAIN, LZW, *DEFLATE, LZMA, ZSTD})
"""Compressions with which every decoder takes a predictor alike; plain strips have none, whatever their tag says."""


def check_supported(kind: TiffKind, name: str) -> None:
    """Raise ImageError for pixels that no decoder here reads: some would call such a file damaged."""
    turned = kind.reversed_bits and kind.compression in DEFLATE
    unknown = kind.compression not in COMPRESSIONS or (kind.compression == JPEG and kind.bits != 8)
    if turned or unknown or not _predictor_known(kind):
        raise not_supported(kind, name)
    if not (pillow_gives(kind) or opencv_gives(kind) or _taken_here(kind)):
        raise not_supported(kind, name)


def _predictor_known(kind: TiffKind) -> bool:
    """Whether all decoders agree on what the strips hold: numbers, or the differences of neighbours."""
    if kind.predictor == 1 or kind.compression == PLAIN:
        return True
    whole = kind.bits in ((8, 16, 32, 64) if kind.predictor == 2 else (16, 32, 64))
    fits = kind.predictor == 2 or (kind.predictor == 3 and kind.sample_format == FLOAT)
    return whole and fits and kind.compression in DIFFERENCES


def _small(kind: TiffKind) -> bool:
    """Whether these are values of 8 bits or less as Pillow knows them."""
    known = kind.samples in SMALL_SAMPLES.get(kind.photometric, ()) and (kind.samples == 1 or kind.bits == 8)
    odd = kind.planar and (kind.photometric == YCBCR or kind.premultiplied)
    odd = odd or (kind.compression == JPEG and kind.photometric == CIELAB)
    return known and not odd and kind.bits <= 8 and kind.sample_format == UNSIGNED


def pillow_gives(kind: TiffKind) -> bool:
    """Whether Pillow reads such pixels exactly, or not at all."""
    if kind.premultiplied and _taken_here(kind):
        return False
    if kind.planar and kind.samples == 2:
        return False
    if kind.order == ">" and kind.compression != PLAIN and (kind.bits == 32 or kind.sample_format == SIGNED):
        return False  # libtiff has turned the bytes of these, and Pillow turns them once more
    grey = kind.samples == 1 and kind.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO)
    return _small(kind) or (grey and kind.bits in PILLOW_BITS.get(kind.sample_format, ()))


def opencv_gives(kind: TiffKind) -> bool:
    """Whether OpenCV reads such pixels exactly: 16-bit colours that are packed or in tiles."""
    packed = kind.compression in (LZW, PACKBITS) or (kind.tiles is not None and kind.compression in (PLAIN, *DEFLATE))
    colours = kind.bits == 16 and kind.samples in (3, 4) and kind.photometric == RGB
    return packed and colours and not kind.planar and kind.sample_format == UNSIGNED


def not_supported(kind: TiffKind, name: str) -> ImageError:
    """The error for pixels that nothing here reads exactly."""
    return ImageError(
        f"{name} holds {kind.words}, which is not supported in this form; convert it to a TIFF of 8- or 16-bit "
        f"unsigned or 32-bit float grey, or of 8- or 16-bit RGB, without compression."
    )


def own_pixels(kind: TiffKind, data: bytes, name: str) -> Array:
    """uint8, uint16 or float32 pixels (H x W, or H x W x 3), not yet upright. Raises ImageError for other kinds."""
    if not _taken_here(kind):
        raise not_supported(kind, name)
    values = np.concatenate([_part_pixels(kind, part, data, name) for part in range(kind.parts)], axis=0)
    if kind.planar:
        values = np.moveaxis(values.reshape(kind.samples, kind.height, kind.width), 0, 2)
    values = values[:, :, 0] if kind.samples <= 2 else values[:, :, :3]
    if kind.sample_format != FLOAT:
        return values
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        return np.asarray(values, np.float32)


def _taken_here(kind: TiffKind) -> bool:
    """Whether the strips are simple enough to be read here."""
    colours = kind.photometric == RGB and kind.samples in (3, 4)
    greys = kind.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and kind.samples in (1, 2)
    return (
        (colours or greys)
        and kind.tiles is None
        and not kind.reversed_bits
        and kind.compression in (PLAIN, *DEFLATE)
        and kind.bits in NUMPY_BITS.get(kind.sample_format, ())
        and (kind.predictor == 1 or (kind.predictor == 2 and kind.sample_format == UNSIGNED) or kind.compression == 1)
    )


def _part_pixels(kind: TiffKind, part: int, data: bytes, name: str) -> Array:
    """The values of one strip: rows x width x channels."""
    start, rows = kind.starts[part], kind.part_rows(part)
    shape = rows, kind.width, 1 if kind.planar else kind.samples
    piece = data[start : start + (kind.counts[part] if kind.counts else rows * kind.row_bytes)]
    if kind.compression != PLAIN:
        piece = inflated(piece, part_bytes(kind), name)
    kind_of_number = {UNSIGNED: "u", FLOAT: "f"}[kind.sample_format]
    values = np.frombuffer(piece, f"{kind.order}{kind_of_number}{kind.bits // 8}", math.prod(shape)).reshape(shape)
    values = values.astype(values.dtype.newbyteorder("="))
    if kind.predictor == 2 and kind.compression != PLAIN:
        np.add.accumulate(values, axis=1, out=values, dtype=values.dtype)
    return values
