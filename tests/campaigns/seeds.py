"""Forty-one sound image files of every format that is read, each a picture with edges, a gradient and grain."""

import io
from collections.abc import Iterator
from itertools import product
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from blemish.arrays import Array

__all__ = ["seeds"]


def seeds(height: int = 90, width: int = 120, number: int = 0) -> dict[str, bytes]:
    """All of them, by name; another number gives other pictures."""
    picture = _picture(height, width, number)
    wide = (picture.astype(np.uint16) << 4) + 3
    return {
        **dict(_jpegs(picture)),
        **dict(_pngs(picture, wide)),
        **dict(_tiffs(picture, wide)),
        **dict(_others(picture, wide)),
    }


def _picture(height: int, width: int, number: int) -> Array:
    random = np.random.default_rng(number)
    y, x = np.mgrid[:height, :width]
    light = 120 + 40 * np.sin(x / 17 + number) + 30 * np.cos(y / 11) + 40 * ((x // 20 + y // 30) % 2)
    colours = light[:, :, None] * [1.0, 0.9, 0.75] + random.normal(0, 5, (height, width, 3))
    return np.asarray(np.clip(colours, 0, 255), np.uint8)


def _saved(pixels: Array, format: str, mode: str = "", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, format, **options)
    return buffer.getvalue()


def _jpegs(picture: Array) -> Iterator[tuple[str, bytes]]:
    for mode, progressive, restart in product(("L", "RGB"), (False, True), (0, 1)):
        options = {"quality": 88, "progressive": progressive, "restart_marker_rows": restart}
        yield f"JPEG {mode} progressive={progressive} restart={restart}", _saved(picture, "JPEG", mode, **options)
    for sampling in ("4:4:4", "4:2:2"):
        yield f"JPEG {sampling}", _saved(picture, "JPEG", subsampling=sampling, quality=95)
    yield "JPEG CMYK", _saved(picture, "JPEG", "CMYK")


def _pngs(picture: Array, wide: Array) -> Iterator[tuple[str, bytes]]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield f"PNG {mode}", _saved(picture, "PNG", mode)
    yield "PNG 16-bit grey", bytes(imagecodecs.png_encode(np.ascontiguousarray(wide[:, :, 0])))
    yield "PNG 16-bit RGB", bytes(imagecodecs.png_encode(wide))


def _tiffs(picture: Array, wide: Array) -> Iterator[tuple[str, bytes]]:
    forms: dict[str, dict[str, Any]] = {
        "plain": {},
        "deflate": {"compression": "zlib", "rowsperstrip": 16},
        "lzw": {"compression": "lzw", "rowsperstrip": 16},
    }
    for (form, options), (kind, pixels) in product(
        forms.items(), (("grey", picture[:, :, 0]), ("RGB", picture), ("16-bit grey", wide[:, :, 0]))
    ):
        yield f"TIFF {form} {kind}", _tiff(pixels, **options)
    yield "TIFF float", _tiff(picture[:, :, 0].astype(np.float32) / 7)
    yield "TIFF 16-bit planes", _tiff(np.moveaxis(wide, 2, 0), planarconfig="separate", photometric="rgb")
    yield "TIFF tiles", _tiff(picture, tile=(32, 32), compression="zlib")


def _tiff(pixels: Array, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.ascontiguousarray(pixels), **options)
    return buffer.getvalue()


def _others(picture: Array, wide: Array) -> Iterator[tuple[str, bytes]]:
    grey = np.ascontiguousarray(picture[:, :, 0])
    height, width = grey.shape
    yield "BMP grey", _saved(grey, "BMP")
    yield "BMP RGB", _saved(picture, "BMP")
    yield "PGM", _saved(grey, "PPM")
    yield "PPM", _saved(picture, "PPM")
    yield "PGM 16-bit", f"P5 {width} {height} 65535\n".encode() + wide[:, :, 0].astype(">u2").tobytes()
    yield "WebP", _saved(picture, "WEBP", quality=85)
    yield "WebP lossless", _saved(picture, "WEBP", lossless=True)
    yield "GIF", _saved(picture, "GIF", "P")
    yield "JPEG 2000 grey", bytes(imagecodecs.jpeg2k_encode(grey, level=0, reversible=True))
    yield "JPEG 2000 RGB", bytes(imagecodecs.jpeg2k_encode(picture, level=0, reversible=True))
