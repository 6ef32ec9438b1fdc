"""TIFF: what kind of pixels a file holds, and whether all of them are there.

Source: TIFF Revision 6.0; the nodata tag is GDAL's.
"""

import io
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import simplejpeg
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from blemish.errors import ImageError
from blemish.images.encoded import damaged

__all__ = [
    "BLACK_IS_ZERO",
    "CIELAB",
    "CMYK",
    "DEFLATE",
    "FAX",
    "FLOAT",
    "JPEG",
    "LZMA",
    "LZW",
    "PACKBITS",
    "PALETTE",
    "PLAIN",
    "RGB",
    "SIGNED",
    "UNSIGNED",
    "WHITE_IS_ZERO",
    "YCBCR",
    "ZSTD",
    "TiffKind",
    "check_tiff",
    "inflated",
    "part_bytes",
    "tiff_kind",
]

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
"""Values of the tag SampleFormat."""
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
"""Values of the tag PhotometricInterpretation."""
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by the type of a tag."""
PLAIN, FAX, LZW, JPEG, DEFLATE, PACKBITS, LZMA, ZSTD = 1, (2, 3, 4), 5, 7, (8, 32946), 32773, 34925, 50000
"""Values of the tag Compression."""
MOST_TAGS = 4096
"""Tags that a directory may have; to read 65,000 would take seconds."""
PRIVATE, NODATA = 32768, 42113
"""The first tag that anyone may give a meaning, and the one by which GDAL marks pixels that were not measured."""
DESCRIPTION = 270
"""A text, of which programs write two: that of the user, and their own."""
HEADER = 8
"""Bytes that begin every TIFF; no pixels lie there."""


@dataclass(frozen=True)
class TiffKind:
    """What the tags of the first image say, as far as its pixels depend on it."""

    order: str
    """"<" or ">": which byte of a value comes first."""
    width: int
    height: int
    bits: int
    sample_format: int
    samples: int
    """Values a pixel."""
    planar: bool
    """Whether each channel lies by itself."""
    photometric: int
    compression: int
    predictor: int
    orientation: int
    tiles: tuple[int, int] | None
    """Height and width of a tile; None: strips."""
    rows: int
    """Rows a strip."""
    starts: tuple[int, ...]
    counts: tuple[int, ...]
    """Where the strips or tiles begin, and how many bytes they have."""
    tables: bytes
    """What all JPEG strips share."""
    pages: int
    nodata: str | None
    """The value of pixels that were not measured, as text."""
    premultiplied: bool = False
    """Whether 8-bit colours are stored multiplied by their opacity."""
    reversed_bits: bool = False
    """Whether the lowest bit of each byte comes first."""

    @property
    def planes(self) -> int:
        """So many channels lie by themselves."""
        return self.samples if self.planar else 1

    @property
    def parts(self) -> int:
        """So many strips or tiles hold the whole image."""
        if self.tiles:
            return self.planes * -(-self.height // self.tiles[0]) * -(-self.width // self.tiles[1])
        return self.planes * -(-self.height // self.rows)

    def part_rows(self, part: int) -> int:
        """Rows of one strip."""
        strips = self.parts // self.planes
        return min(self.rows, self.height - part % strips * self.rows)

    @property
    def row_bytes(self) -> int:
        """Of one row of a strip."""
        return -(-self.width * self.bits * (1 if self.planar else self.samples) // 8)

    @property
    def words(self) -> str:
        """For messages."""
        name = {UNSIGNED: "unsigned", SIGNED: "signed", FLOAT: "float"}.get(self.sample_format, "complex or untyped")
        return f"{self.samples} x {self.bits}-bit {name} values a pixel" + (", each by itself" if self.planar else "")


def tiff_kind(data: bytes, name: str, *, strict: bool) -> TiffKind:
    """Read the tags of the first image, which the standard must allow if `strict`.

    Raises ImageError for tags that make no image.
    """
    if data[:4] == b"MM\0+":
        raise ImageError(f"{name} is a big-endian BigTIFF, which is not supported; convert it to PNG or TIFF.")
    _check_directory(data, name, strict=strict)
    tags = _tags(data)
    width, height = _number(tags, 256, 0), _number(tags, 257, 0)
    bits = _numbers(tags, 258) or (1,)
    formats = _numbers(tags, 339) or (UNSIGNED,)
    if width < 1 or height < 1 or len(set(bits)) > 1 or len(set(formats)) > 1 or bits[0] < 1:
        raise damaged(name, "its size or its pixels are described wrongly")
    if _number(tags, 262, BLACK_IS_ZERO) == PALETTE and len(_numbers(tags, 320)) < 3 << min(bits[0], 16):
        raise damaged(name, "its palette is too short")
    tiled = 324 in tags
    tiles = (_number(tags, 323, 0), _number(tags, 322, 0)) if tiled else None
    rows = min(_number(tags, 278, height), height)
    if rows < 1 or (tiles and min(tiles) < 1):
        raise damaged(name, "its strips or tiles have no size")
    return TiffKind(
        order="<" if data[:2] == b"II" else ">",
        width=width,
        height=height,
        bits=bits[0],
        sample_format=UNSIGNED if formats[0] == 4 and bits[0] <= 8 else formats[0],
        samples=_number(tags, 277, 1),
        planar=_number(tags, 284, 1) == 2 and _number(tags, 277, 1) > 1,
        photometric=_number(tags, 262, BLACK_IS_ZERO),
        compression=_number(tags, 259, PLAIN),
        predictor=_number(tags, 317, 1),
        orientation=_number(tags, 274, 1),
        tiles=tiles,
        rows=rows,
        starts=_numbers(tags, 324 if tiled else 273),
        counts=_numbers(tags, 325 if tiled else 279),
        tables=bytes(tags.get(347, b"")),
        pages=_pages(data),
        nodata=str(tags[NODATA]).strip("\0 ") if NODATA in tags else None,
        premultiplied=_numbers(tags, 338)[:1] == (1,) and bits[0] == 8,
        reversed_bits=_number(tags, 266, 1) == 2,
    )


def _tags(data: bytes) -> ImageFileDirectory_v2:
    """The directory of the first image."""
    big = data[2:4] in (b"+\0", b"\0+")
    tags = ImageFileDirectory_v2(data[: 16 if big else 8])
    file = io.BytesIO(data)
    file.seek(int(tags.next))
    tags.load(file)
    return tags


def _check_directory(data: bytes, name: str, *, strict: bool) -> None:
    """Check that the tags lie in the file; if `strict`, that their values do, and that they ascend, as they must."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = 43 in data[2:4]
    word, size, counter = (8, 20, 8) if big else (4, 12, 2)
    at = int.from_bytes(data[8:16] if big else data[4:8], order)
    entries = range(at + counter, at + counter + size * int.from_bytes(data[at : at + counter], order), size)
    if entries.stop + word > len(data) or len(entries) > MOST_TAGS:
        raise damaged(name, "its directory reaches behind the end of the file")
    last = -1
    for entry in entries if strict else ():
        tag, kind = (int.from_bytes(data[entry + skip : entry + skip + 2], order) for skip in (0, 2))
        length = TYPE_BYTES.get(kind, 0) * int.from_bytes(data[entry + 4 : entry + 4 + word], order)
        place = int.from_bytes(data[entry + 4 + word : entry + size], order)
        behind = tag > last or tag == last == DESCRIPTION
        known = kind in TYPE_BYTES or PRIVATE <= tag != NODATA  # TIFF 6.0: readers skip types that they do not know
        if not behind or not known or (length > word and place + length > len(data)):
            raise damaged(name, f"tag {tag} of its directory is wrong")
        last = tag


def _pages(data: bytes) -> int:
    """How many directories the file chains, each an image; a chain that leads nowhere ends there."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = 43 in data[2:4]
    word, size, counter = (8, 20, 8) if big else (4, 12, 2)
    at, seen = int.from_bytes(data[8:16] if big else data[4:8], order), set[int]()
    while 0 < at < len(data) and at not in seen:
        seen.add(at)
        after = at + counter + size * int.from_bytes(data[at : at + counter], order)
        at = int.from_bytes(data[after : after + word], order)
    return len(seen)


def _numbers(tags: ImageFileDirectory_v2, tag: int) -> tuple[int, ...]:
    value: Any = tags.get(tag, ())
    return tuple(map(int, value)) if isinstance(value, tuple | list) else (int(value),)


def _number(tags: ImageFileDirectory_v2, tag: int, default: int) -> int:
    return (_numbers(tags, tag) or (default,))[0]


def check_tiff(kind: TiffKind, data: bytes, name: str) -> None:
    """Check that all strips or tiles lie in the file and, where their format has a sum, that it is right."""
    if len(kind.starts) < kind.parts:
        raise damaged(name, f"{kind.parts - len(kind.starts)} of its {kind.parts} strips or tiles are missing")
    counts = kind.counts or ((len(data) - kind.starts[0],) if kind.parts == 1 else ())
    if len(counts) < kind.parts:
        raise damaged(name, "the lengths of its strips or tiles are missing")
    for part, (start, count) in enumerate(zip(kind.starts, counts, strict=False)):
        if part < kind.parts:
            _check_part(kind, part, data[start : start + count], count, name)


def _check_part(kind: TiffKind, part: int, piece: bytes, count: int, name: str) -> None:
    """Check one strip or tile."""
    if len(piece) < count or not count or kind.starts[part] < HEADER:
        raise damaged(name, "a strip or tile lies outside the file's pixels")
    if kind.compression == PLAIN and count < part_bytes(kind, part):
        raise damaged(name, "a strip or tile is too short for its pixels")
    if kind.compression in DEFLATE:
        inflated(piece, part_bytes(kind), name)
    if kind.compression == JPEG:
        try:
            simplejpeg.decode_jpeg_header(_jpeg(kind, piece), strict=True)
            simplejpeg.decode_jpeg(_jpeg(kind, piece), "GRAY" if kind.samples == 1 else "RGB", strict=True)
        except ValueError as error:
            if "subsampling level" in str(error):
                raise ValueError("unsupported subsampling of JPEG strips") from None
            raise damaged(name, str(error)) from None


def part_bytes(kind: TiffKind, part: int | None = None) -> int:
    """Bytes of the pixels of one strip or tile; without a number, the most that any has."""
    if kind.tiles is None:
        return (kind.rows if part is None else kind.part_rows(part)) * kind.row_bytes
    return kind.tiles[0] * -(-kind.tiles[1] * kind.bits * (1 if kind.planar else kind.samples) // 8)


def _jpeg(kind: TiffKind, piece: bytes) -> bytes:
    """A strip as a JPEG file of its own: the shared tables, without their end mark, go before its first part."""
    return kind.tables[:-2] + piece[2:] if kind.tables else piece


def inflated(piece: bytes, most: int, name: str) -> bytes:
    """What a deflated strip or tile holds, at most so many bytes; zlib checks its sum."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(piece, most + 1)
    except zlib.error as error:
        raise damaged(name, str(error)) from None
    if not inflater.eof:
        raise damaged(name, "a strip or tile does not end where its pixels do")
    return content
