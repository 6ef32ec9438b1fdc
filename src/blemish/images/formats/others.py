"""BMP, GIF, WebP and JPEG 2000, which Pillow decodes exactly, and what each says of its own length."""

import io
from collections.abc import Callable
from functools import partial

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.WebPImagePlugin import WebPImageFile

from blemish.errors import ImageError
from blemish.images.encoded import Decoded, Encoded, Opened, damaged
from blemish.images.rules import Rules

__all__ = ["opened_bmp", "opened_gif", "opened_jpeg_2000", "opened_webp"]


def opened_bmp(encoded: Encoded, rules: Rules) -> Opened:
    """The header of a BMP."""
    return _opened(BmpImageFile(io.BytesIO(encoded.data)), encoded, rules, _check_bmp)


def opened_gif(encoded: Encoded, rules: Rules) -> Opened:
    """The header of a GIF."""
    return _opened(GifImageFile(io.BytesIO(encoded.data)), encoded, rules, _check_gif)


def opened_webp(encoded: Encoded, rules: Rules) -> Opened:
    """The header of a WebP, whose size is checked first: Pillow takes the memory of the whole image to open it."""
    width, height = _webp_size(encoded.data)
    size = len(encoded.data)
    if not rules.bounds.admit(width, height, size):
        raise rules.bounds.refusal(width, height, size, encoded.name)
    return _opened(WebPImageFile(io.BytesIO(encoded.data)), encoded, rules, _check_webp)


def opened_jpeg_2000(encoded: Encoded, rules: Rules) -> Opened:
    """The header of a JPEG 2000. It has no sums and tells no length that could be checked."""
    image = Jpeg2KImageFile(io.BytesIO(encoded.data))
    _check_depths(encoded)
    return Opened.by_pillow(image, partial(Decoded, image))


def _opened(image: ImageFile, encoded: Encoded, rules: Rules, check: Callable[[bytes, str], None]) -> Opened:
    def decoded() -> Decoded:
        if not rules.accept_damaged:
            check(encoded.data, encoded.name)
        return Decoded(image)

    return Opened.by_pillow(image, decoded)


def _check_webp(data: bytes, name: str) -> None:
    """Check that a WebP file holds all the bytes that it announces. Raises ImageError."""
    announced = int.from_bytes(data[4:8], "little") + 8
    if len(data) < announced:
        raise damaged(name, f"{announced - len(data)} bytes are missing")


def _check_bmp(data: bytes, name: str) -> None:
    """Check that a BMP holds the bytes and the colours that its headers announce. Raises ImageError."""
    announced, start = (int.from_bytes(data[at : at + 4], "little") for at in (2, 10))
    if announced > len(data) or start > len(data):
        raise damaged(name, f"{announced:,} bytes are announced, and {len(data):,} are there")
    header = int.from_bytes(data[14:18], "little")
    if header < 40:
        return
    size, colours = (int.from_bytes(data[at : at + 4], "little") for at in (34, 46))
    if start + size > len(data) or 14 + header + 4 * colours > start:
        raise damaged(name, "its headers announce more pixels or colours than are there")


def _check_gif(data: bytes, name: str) -> None:
    """Check that the blocks of a GIF lead to its end mark. Raises ImageError. Source: GIF89a, appendix A."""
    at = 13 + _table(data[10])
    while at < len(data) and data[at] != 0x3B:
        if data[at] == 0x21:
            at = _sub_blocks(data, at + 2)
        elif data[at] == 0x2C and at + 9 < len(data):
            at = _sub_blocks(data, at + 11 + _table(data[at + 9]))
        else:
            raise damaged(name, "a block of an unknown kind")
    if at >= len(data):
        raise damaged(name, "the end of the image is missing")


def _table(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(data: bytes, at: int) -> int:
    """Where a sequence of sub-blocks ends."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP. Source: WebP Container Specification."""
    data = data.ljust(30, b"\0")
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _check_depths(encoded: Encoded) -> None:
    """Refuse JPEG 2000 values that Pillow would scale or cut. Source: ITU-T T.800, A.5.1."""
    at = encoded.data.find(b"\xff\x4f\xff\x51")
    count = int.from_bytes(encoded.data[at + 40 : at + 42], "big")
    depths = set(encoded.data[at + 42 : at + 42 + 3 * count : 3])
    if at < 0 or not (depths == {7} or (depths == {15} and count == 1)):
        raise ImageError(
            f"{encoded.name} holds JPEG 2000 pixels of a kind that is not supported (8-bit, or 16-bit grey, unsigned, "
            f"is read); convert it to PNG or TIFF."
        )
