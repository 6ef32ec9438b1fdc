"""Eighteen kinds of damage to the bytes of a file; the same for one seed and one number."""

import random
import struct
from collections.abc import Callable

__all__ = ["DAMAGES", "damage"]

SECTORS = (16, 64, 512, 1024)
SIZES = (0, 1, 2, 255, 0x7FFF, 0x8000, 0xFFFF, 13_000, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damage(data: bytes, kind: str, seed: int, number: int) -> bytes:
    """One damaged copy."""
    return DAMAGES[kind](data, random.Random(f"{seed} {kind} {number}"))


def _cut(data: bytes, r: random.Random) -> int:
    return r.randrange(max(1, len(data) // 20), len(data))


def _at(data: bytes, length: int, r: random.Random) -> int:
    return r.randrange(max(1, len(data) - length))


def _replace(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _truncated(data: bytes, r: random.Random) -> bytes:
    return data[: r.randrange(1, len(data))]


def _closed(data: bytes, r: random.Random) -> bytes:
    return data[: _cut(data, r)] + b"\xff\xd9"


def _zero_tail(data: bytes, r: random.Random) -> bytes:
    at = _cut(data, r)
    return data[:at] + bytes(len(data) - at)


def _random_tail(data: bytes, r: random.Random) -> bytes:
    at = _cut(data, r)
    return data[:at] + r.randbytes(len(data) - at)


def _last_bytes(data: bytes, r: random.Random) -> bytes:
    return data[: -r.randrange(1, 17)]


def _flipped(data: bytes, r: random.Random, count: int = 1) -> bytes:
    copy = bytearray(data)
    for _ in range(count):
        copy[r.randrange(len(copy))] ^= 1 << r.randrange(8)
    return bytes(copy)


def _flipped_often(data: bytes, r: random.Random) -> bytes:
    return _flipped(data, r, r.randrange(2, 11))


def _set_bytes(data: bytes, r: random.Random) -> bytes:
    copy = bytearray(data)
    for _ in range(r.randrange(1, 9)):
        copy[r.randrange(len(copy))] = r.choice([0, 0x7F, 0x80, 0xFF, r.randrange(256)])
    return bytes(copy)


def _region(data: bytes, r: random.Random, fill: bytes) -> bytes:
    length = min(len(data) - 1, int(2 ** r.uniform(2, 12)))
    return _replace(data, _at(data, length, r), fill * length)


def _zeros(data: bytes, r: random.Random) -> bytes:
    return _region(data, r, b"\0")


def _ones(data: bytes, r: random.Random) -> bytes:
    return _region(data, r, b"\xff")


def _swapped(data: bytes, r: random.Random) -> bytes:
    length = min(len(data) // 3, r.choice(SECTORS))
    first, second = _at(data, length, r), _at(data, length, r)
    swapped = _replace(data, first, data[second : second + length])
    return _replace(swapped, second, data[first : first + length])


def _deleted(data: bytes, r: random.Random) -> bytes:
    length = min(len(data) // 3, r.choice([1, 2, 16, 512]))
    at = _at(data, length, r)
    return data[:at] + data[at + length :]


def _doubled(data: bytes, r: random.Random) -> bytes:
    length = min(len(data) // 3, r.choice([1, 16, 512]))
    at = _at(data, length, r)
    return data[: at + length] + data[at:]


def _header(data: bytes, r: random.Random) -> bytes:
    copy = bytearray(data)
    for _ in range(r.randrange(1, 4)):
        copy[r.randrange(min(64, len(copy)))] = r.randrange(256)
    return bytes(copy)


def _sizes(data: bytes, r: random.Random) -> bytes:
    value, order = r.choice(SIZES), r.choice("<>")
    field = struct.pack(f"{order}I", value) if r.random() < 0.5 else struct.pack(f"{order}H", value & 0xFFFF)
    return _replace(data, r.randrange(min(len(data) - 4, r.choice([64, 256, 1200]))), field)


def _spliced(data: bytes, r: random.Random) -> bytes:
    return data[: r.randrange(len(data) // 10, len(data))] + data[r.randrange(len(data) // 10, len(data)) :]


def _inserted(data: bytes, r: random.Random) -> bytes:
    at = r.randrange(len(data))
    return data[:at] + r.randbytes(r.choice([1, 2, 100])) + data[at:]


def _zero_head(data: bytes, r: random.Random) -> bytes:
    return _replace(data, 0, bytes(r.randrange(1, 64)))


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "truncated": _truncated,
    "cut and closed": _closed,
    "zeros to the end": _zero_tail,
    "noise to the end": _random_tail,
    "last bytes lost": _last_bytes,
    "one bit flipped": _flipped,
    "several bits flipped": _flipped_often,
    "bytes set": _set_bytes,
    "a region of zeros": _zeros,
    "a region of ones": _ones,
    "two sectors swapped": _swapped,
    "bytes deleted": _deleted,
    "bytes doubled": _doubled,
    "header bytes set": _header,
    "a size replaced": _sizes,
    "two parts spliced": _spliced,
    "bytes inserted": _inserted,
    "zeros at the head": _zero_head,
}
