"""Sound files of every kind of pixels, and what each shows: written and decoded by tifffile and imagecodecs."""

import io
import struct
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from blemish.arrays import Array

__all__ = ["PixelKind", "pixel_kinds"]

HEIGHT, WIDTH = 37, 53


class PixelKind(NamedTuple):
    """One file, and what it shows: grey H x W or H x W x 3."""

    row: str
    """Its row in docs/images.md: format and pixels."""
    name: str
    data: bytes
    pixels: Array


def pixel_kinds() -> list[PixelKind]:
    """All of them, the same at every call."""
    return [
        *_tiffs(),
        *_packed_big_endian(),
        *_tiffs_with_opacity(),
        *_odd_tiffs(),
        *_pngs(),
        *_netpbms(),
        *_bmps(),
        *_others(),
    ]


def values(kind: str, channels: int) -> Array:
    """Every height of values from the lowest to the highest, differing by channel."""
    random = np.random.default_rng(channels)
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    if np.dtype(kind).kind == "f":
        return random.normal(3, 2, shape).astype(kind)
    limits = np.iinfo(kind)
    return random.integers(max(0, limits.min), limits.max, shape, kind, endpoint=True)


def shown(pixels: Array) -> Array:
    """Without alpha."""
    if pixels.ndim == 3:
        pixels = pixels[:, :, 0] if pixels.shape[2] <= 2 else pixels[:, :, :3]
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    return pixels.astype(np.uint16) if pixels.dtype.kind == "i" else pixels  # what is read of those is not below 0


def _tiff(pixels: Array, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def _decoded(data: bytes) -> Array:
    """By tifffile, channels last, white-is-zero turned around as it is shown."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        pixels = page.asarray()
        if page.planarconfig == 2 and pixels.ndim == 3:
            pixels = np.moveaxis(pixels, 0, 2)
        if page.photometric == 0 and pixels.dtype.kind == "u":
            pixels = np.iinfo(pixels.dtype).max - pixels
    return shown(np.asarray(pixels))


def _tiffs() -> Iterator[PixelKind]:
    plain: dict[str, Any] = {}
    forms: dict[str, dict[str, Any]] = {
        "plain": plain,
        "strips": {"rowsperstrip": 8},
        "deflate": {"compression": "zlib"},
        "deflate strips": {"compression": "zlib", "rowsperstrip": 8},
        "deflate predictor": {"compression": "zlib", "predictor": True},
        "lzw": {"compression": "lzw"},
        "tiles": {"tile": (16, 32)},
        "tiles lzw": {"tile": (16, 32), "compression": "lzw"},
        "packbits": {"compression": "packbits"},
    }
    for (form, options), kind, channels in product(
        forms.items(), ("u1", "u2", "f4", "f8", "f2", "i1", "i2", "u4"), (1, 3)
    ):
        if form == "packbits" and kind != "u1":
            continue
        data = _tiff(values(kind, channels), photometric="rgb" if channels == 3 else "minisblack", **options)
        row = f"TIFF, {_tiff_row(kind, channels, form in ('plain', 'strips', 'deflate', 'deflate strips'))}"
        yield PixelKind(row, f"TIFF {form} {kind} x {channels}", data, _decoded(data))
    for kind, order, channels in product(("u1", "u2", "f4", "f8"), "<>", (1, 3)):
        for planar in ("contig", "separate") if channels == 3 else ("contig",):
            data = _tiff(
                np.moveaxis(values(kind, 3), 2, 0) if planar == "separate" else values(kind, channels),
                photometric="rgb" if channels == 3 else "minisblack",
                byteorder=order,
                **({"planarconfig": planar} if channels == 3 else {}),
            )
            row = f"TIFF, {_tiff_row(kind, channels, simple=True)}"
            yield PixelKind(row, f"TIFF {order} {planar} {kind} x {channels}", data, _decoded(data))
    for kind, big in product(("u1", "u2", "f4"), (False, True)):
        data = _tiff(values(kind, 1), photometric="miniswhite", bigtiff=big)
        yield PixelKind("TIFF, white is zero", f"TIFF white is zero {kind} big={big}", data, _decoded(data))
    for kind, extra in product(("u1", "u2"), (2, 4)):
        options = {"photometric": "rgb" if extra == 4 else "minisblack", "extrasamples": ["unassalpha"]}
        data = _tiff(values(kind, extra), planarconfig="contig", **options)
        yield PixelKind(f"TIFF, {_tiff_row(kind, extra, simple=True)}", f"TIFF {kind} x {extra}", data, _decoded(data))
    data = _tiff(values("u1", 1) > 127, photometric="minisblack")
    yield PixelKind("TIFF, 8-bit and less", "TIFF 1-bit", data, _decoded(data).astype(np.uint8) * 255)

    for turn, kind, planar in product((3, 5, 6, 7, 8), ("u1", "u2"), ("contig", "separate")):
        pixels = values(kind, 3)
        stored = np.moveaxis(pixels, 2, 0) if planar == "separate" else pixels
        tags = [(274, "H", 1, turn, True)]
        data = _tiff(stored, photometric="rgb", planarconfig=planar, extratags=tags)
        name = f"TIFF {kind} {planar} turned {turn}"
        yield PixelKind(f"TIFF, {_tiff_row(kind, 3, simple=True)}", name, data, _turned(_decoded(data), turn))


def _packed_big_endian() -> Iterator[PixelKind]:
    """Values of 32 bits whose bytes libtiff turns by itself."""
    forms: tuple[dict[str, Any], ...] = ({}, {"rowsperstrip": 8}, {"tile": (16, 32)})
    for form, compression, kind in product(forms, ("zlib", "lzw", "packbits"), ("f4", "i2")):
        pixels = values(kind, 1)
        data = _tiff(pixels, photometric="minisblack", byteorder=">", compression=compression, **form)
        row = "other signed, 32-bit unsigned"
        if kind == "f4":
            exact = compression == "zlib" and "tile" not in form
            row = "other float, simple strips" if exact else "other float, in another form"
        yield PixelKind(f"TIFF, {row}", f"TIFF > {compression} {form} {kind}", data, _decoded(data))
    for compression, channels in product(("zlib", "lzw"), (1, 3)):
        data = _tiff(
            values("u2", channels),
            photometric="rgb" if channels == 3 else "minisblack",
            byteorder=">",
            compression=compression,
            predictor=2,
        )
        name = f"TIFF > {compression} u2 x {channels}, predictor 2"
        yield PixelKind(f"TIFF, {_tiff_row('u2', channels, simple=False)}", name, data, _decoded(data))
    data = _tiff(values("f4", 1), photometric="minisblack", byteorder=">", compression="zlib", predictor=3)
    yield PixelKind("TIFF, other float, in another form", "TIFF > zlib f4, predictor 3", data, _decoded(data))


def _tiffs_with_opacity() -> Iterator[PixelKind]:
    for compression, extra, opaque in product((None, "zlib", "lzw"), (2, 4), (False, True)):
        pixels = values("u1", extra)
        if opaque:
            pixels[:, :, -1] = 255
        data = _tiff(
            pixels,
            photometric="rgb" if extra == 4 else "minisblack",
            extrasamples=["assocalpha" if extra == 4 else "unassalpha"],
            planarconfig="contig",
            compression=compression,
        )
        exact = extra == 2 or opaque or compression != "lzw"
        row = "8-bit and less" if extra == 2 else f"multiplied by opacity{'' if exact else ', packed otherwise'}"
        yield PixelKind(f"TIFF, {row}", f"TIFF {compression} x {extra} opaque={opaque}", data, _decoded(data))
    for compression in (None, "zlib"):
        pixels = np.moveaxis(values("u1", 2), 2, 0)
        options: dict[str, Any] = {"planarconfig": "separate", "extrasamples": ["unassalpha"]}
        data = _tiff(pixels, photometric="minisblack", compression=compression, **options)
        yield PixelKind("TIFF, 8-bit and less", f"TIFF planes u1 x 2 {compression}", data, _decoded(data))
    for compression, kind in product(("webp", "jpegxl", "lerc"), ("u1", "u2")):
        if (compression, kind) == ("webp", "u2"):
            continue
        data = _tiff(values(kind, 3), photometric="rgb", compression=compression)
        yield PixelKind("TIFF, other compressions", f"TIFF {compression} {kind}", data, _decoded(data))


def _odd_tiffs() -> Iterator[PixelKind]:
    """As programs write them, but read otherwise by one decoder than by the next, or by none."""
    grey, colours, two = values("u1", 1), values("u1", 3), values("u1", 2)
    five = np.random.default_rng(5).integers(0, 255, (5, HEIGHT, WIDTH), np.uint8)
    planes: dict[str, Any] = {"planarconfig": "separate"}
    tile = (16, 32)
    opacity, opaque = np.moveaxis(values("u1", 4), 2, 0), {"extrasamples": ["assocalpha"]}
    odd: list[tuple[str, Array, dict[str, Any]]] = [
        ("five greys", five, {"photometric": "minisblack", **planes}),
        ("five greys lzw", five, {"photometric": "minisblack", "compression": "lzw", **planes}),
        ("packbits predictor", grey, {"photometric": "minisblack", "compression": "packbits", "predictor": 2}),
        ("1-bit colours deflate", colours > 127, {"photometric": "rgb", "compression": "zlib"}),
        ("1-bit predictor", grey > 127, {"photometric": "minisblack", "compression": "lzw", "predictor": 2}),
        ("CIELAB jpeg", colours, {"photometric": "cielab", "compression": "jpeg"}),
        ("YCbCr planes", np.moveaxis(colours, 2, 0), {"photometric": "ycbcr", **planes}),
        (
            "grey + alpha jpeg",
            two,
            {"photometric": "minisblack", "compression": "jpeg", "extrasamples": ["unassalpha"]},
        ),
        ("planes of tiles with opacity", opacity, {"photometric": "rgb", "tile": tile, **planes, **opaque}),
    ]
    for name, stored, options in odd:
        yield PixelKind("TIFF, of unusual make", f"TIFF {name}", _tiff(stored, **options), grey)
    forms: tuple[dict[str, Any], ...] = ({}, {"tile": tile, "compression": "zlib"})
    for form in forms:
        data = _tiff(grey, photometric="minisblack", byteorder=">", bigtiff=True, **form)
        yield PixelKind("TIFF, of unusual make", f"TIFF big-endian BigTIFF {form}", data, _decoded(data))


def _turned(pixels: Array, orientation: int) -> Array:
    """As the standard says: where row 0 and column 0 are shown."""
    match orientation:
        case 3:
            return np.rot90(pixels, 2)
        case 5:
            return np.swapaxes(pixels, 0, 1)
        case 6:
            return np.rot90(pixels, -1)
        case 7:
            return np.rot90(np.swapaxes(pixels, 0, 1), 2)
    return np.rot90(pixels, 1)


def _tiff_row(kind: str, channels: int, simple: bool) -> str:
    """The row of the docs for these values; `simple` strips have no compression, or deflate without predictor."""
    grey = channels == 1
    if kind == "u1":
        return "8-bit and less"
    if kind == "u2":
        return "16-bit"
    if kind == "f4" and grey:
        return "32-bit float grey"
    if kind[0] == "f":
        return "other float, simple strips" if simple else "other float, in another form"
    return "signed 16-bit grey, nothing below 0" if kind == "i2" and grey else "other signed, 32-bit unsigned"


def _pngs() -> Iterator[PixelKind]:
    for kind, channels in product(("u1", "u2"), (1, 2, 3, 4)):
        data = bytes(imagecodecs.png_encode(values(kind, channels)))
        yield PixelKind("PNG, all", f"PNG {kind} x {channels}", data, shown(imagecodecs.png_decode(data)))
    for mode in ("1", "P"):
        buffer = io.BytesIO()
        Image.fromarray(values("u1", 1)).convert(mode).save(buffer, "PNG")
        yield PixelKind("PNG, all", f"PNG {mode}", buffer.getvalue(), shown(imagecodecs.png_decode(buffer.getvalue())))


def _netpbms() -> Iterator[PixelKind]:
    for most, channels, text in product((255, 1023, 4095, 16383, 65535), (1, 3), (False, True)):
        pixels = values("u2", channels) & most
        pixels = pixels.astype("u1" if most == 255 else "u2")
        letter = {(1, True): 2, (3, True): 3, (1, False): 5, (3, False): 6}[channels, text]
        head = f"P{letter}\n# a comment\n{WIDTH} {HEIGHT}\n{most}\n".encode()
        body = pixels.astype(">u2" if most > 255 else "u1").tobytes()
        if text:
            body = b"\n".join(" ".join(map(str, row.ravel().tolist())).encode() for row in pixels)
        yield PixelKind("PGM and PPM, 8- and 16-bit", f"PNM P{letter} up to {most}", head + body, pixels)
    floats = values("f4", 1)
    yield PixelKind(
        "PFM, grey", "PFM", f"Pf\n{WIDTH} {HEIGHT}\n-1.0\n".encode() + floats[::-1].astype("<f4").tobytes(), floats
    )


def _bmps() -> Iterator[PixelKind]:
    for channels in (1, 3, 4):
        pixels = values("u1", channels)
        data = bytes(imagecodecs.bmp_encode(pixels)) if channels < 4 else _pillow_bmp(pixels)
        yield PixelKind(
            "BMP, usual", f"BMP x {channels}", data, shown(imagecodecs.bmp_decode(data) if channels < 4 else pixels)
        )
    red, green, blue = (values("u1", 3)[:, :, channel] >> drop for channel, drop in enumerate((3, 2, 3)))
    packed = (red.astype("<u2") << 11) | (green.astype("<u2") << 5) | blue
    rows = np.pad(packed, [(0, 0), (0, WIDTH % 2)])[::-1].astype("<u2").tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 16, 3, len(rows), 1, 1, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    data = b"BM" + struct.pack("<IHHI", 66 + len(rows), 0, 0, 66) + head + masks + rows
    widened = [np.floor(plane.astype(float) * 255 / most) for plane, most in ((red, 31), (green, 63), (blue, 31))]
    yield PixelKind("BMP, usual", "BMP 5-6-5", data, np.stack(widened, axis=2).astype(np.uint8))
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 2, 0, HEIGHT * 16, 1, 1, 4, 0)
    data = b"BM" + struct.pack("<IHHI", 70 + HEIGHT * 16, 0, 0, 70) + head + bytes(16 + HEIGHT * 16)
    yield PixelKind("BMP, other", "BMP 2-bit", data, np.zeros((HEIGHT, WIDTH), np.uint8))

    for name, fields in (("blue first", (0xFF, 0xFF00, 0xFF0000)), ("10 bits each", (0x3FF00000, 0xFFC00, 0x3FF))):
        head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 32, 3, HEIGHT * WIDTH * 4, 1, 1, 0, 0)
        body = head + struct.pack("<III", *fields) + values("u1", 4).tobytes()
        data = b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 66) + body
        yield PixelKind("BMP, other", f"BMP {name}", data, np.zeros((HEIGHT, WIDTH), np.uint8))


def _pillow_bmp(pixels: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    return buffer.getvalue()


def _others() -> Iterator[PixelKind]:
    for channels in (1, 3):
        pixels = values("u1", channels)
        data = bytes(imagecodecs.jpeg8_encode(pixels, level=90))
        yield PixelKind("JPEG, 8-bit", f"JPEG x {channels}", data, shown(imagecodecs.jpeg8_decode(data)))
        for kind, bits in (("u1", 8), ("u2", 16), ("u2", 12)):
            data = bytes(
                imagecodecs.jpeg2k_encode(
                    values(kind, channels) >> (np.iinfo(kind).bits - bits), level=0, bitspersample=bits, reversible=True
                )
            )
            pixels = shown(imagecodecs.jpeg2k_decode(data))
            exact = bits == 8 or (bits, channels) == (16, 1)
            row = "JPEG 2000, 8-bit, 16-bit grey" if exact else "JPEG 2000, other"
            yield PixelKind(row, f"JPEG 2000 {bits}-bit x {channels}", data, pixels)
    for channels in (3, 4):
        data = bytes(imagecodecs.webp_encode(values("u1", channels), lossless=True))
        yield PixelKind("WebP, all", f"WebP lossless x {channels}", data, shown(imagecodecs.webp_decode(data)))
        data = bytes(imagecodecs.avif_encode(values("u1", channels)))
        yield PixelKind("AVIF and others, all", f"AVIF x {channels}", data, shown(imagecodecs.avif_decode(data)))
    for bits in (10, 12, 16):
        pixels = values("u2", 1) >> (16 - bits)
        data = bytes(imagecodecs.jpeg8_encode(pixels, bitspersample=bits, lossless=bits != 12))
        yield PixelKind("JPEG, other", f"JPEG {bits}-bit", data, shown(imagecodecs.jpeg8_decode(data)))
    data = bytes(imagecodecs.jpegls_encode(values("u1", 1)))
    yield PixelKind("JPEG, other", "JPEG-LS", data, shown(imagecodecs.jpegls_decode(data)))
    for channels in (1, 3):
        data = bytes(imagecodecs.jpeg8_encode(values("u1", channels), lossless=True))
        yield PixelKind("JPEG, 8-bit", f"JPEG lossless x {channels}", data, shown(imagecodecs.jpeg8_decode(data)))
    for name, encode in (("QOI", imagecodecs.qoi_encode), ("JPEG XR", imagecodecs.jpegxr_encode)):
        yield PixelKind("AVIF and others, all", name, bytes(encode(values("u1", 3))), values("u1", 3))
    data = bytes(imagecodecs.gif_encode(values("u1", 1)))
    yield PixelKind("GIF, all", "GIF", data, shown(imagecodecs.gif_decode(data)))
