"""The container of a model: a safetensors file, written and read so strictly that no bit of it can change unseen.

The format is that of safetensors (docs/file-format.md). Our own reader bounds what a header may cost before anything
is parsed, and tells whether the header is written in the one way that `pack` has, which the library does not.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from blemish.arrays import Array

__all__ = ["LARGEST_HEADER", "METADATA", "Container", "pack", "parsed", "unpack"]

METADATA = "__metadata__"
"""The entry of the header that is no tensor: texts by name."""
TYPES: Mapping[str, np.dtype[Any]] = {
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
    **{f"{kind.upper()}{8 * size}": np.dtype(f"<{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)},
}
NAMES = {dtype: name for name, dtype in TYPES.items()}
ENTRY = {"dtype", "shape", "data_offsets"}
ALIGNMENT = 8
"""Tensors begin at multiples of it, in bytes."""
LARGEST_HEADER = 32 << 20
"""Bytes. Records of single images are tensors, so that a header has some ten thousand bytes."""
MOST_MARKS = 1_000_000
"""Brackets and commas of a header: each may become an object of a hundred bytes."""
MOST_AXES = 8


@dataclass(frozen=True)
class Container:
    """What a safetensors file holds."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, Array]
    """Read-only views of the file's bytes."""
    canonical: bool
    """Whether the header is written as `pack` writes it: each key once, nothing escaped or spaced without need."""


def pack(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file; wider types first, so that each tensor is aligned."""
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    header: dict[str, Any] = {METADATA: dict(metadata)}
    start = 0
    for name in names:
        tensor = tensors[name]
        end = start + tensor.nbytes
        kind = NAMES[tensor.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    text = _padded(_written(header)).encode()
    body = (np.ascontiguousarray(tensors[name]).tobytes() for name in names)
    return b"".join([len(text).to_bytes(8, "little"), text, *body])


def unpack(content: bytes) -> Container:
    """What the bytes of a safetensors file hold. Raises ValueError, whose sentence says what is wrong."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= len(content) - 8:
        raise ValueError("its header is cut off")
    if length > LARGEST_HEADER:
        raise ValueError(f"its header has {length:,} bytes; at most {LARGEST_HEADER:,} are read")
    text = _text(content[8 : 8 + length])
    header = parsed(text)
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    canonical = text == _padded(_written(header))
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"entry {METADATA} of its header must hold texts")
    return Container(metadata, _tensors(content, 8 + length, header), canonical)


def _text(header: bytes) -> str:
    marks = sum(header.count(mark) for mark in (b"{", b"[", b","))
    if marks > MOST_MARKS:
        raise ValueError(f"its header has {marks:,} brackets and commas; at most {MOST_MARKS:,} are read")
    try:
        return header.decode()
    except UnicodeDecodeError:
        raise ValueError("its header is not UTF-8") from None


def parsed(text: str) -> Any:
    """What JSON text says. Raises ValueError where it is none, is nested too deeply, or names one key twice."""
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises ValueError where a key comes twice, which readers would take in different ways."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{max(names, key=names.count)!r} comes twice in one object")
    return found


def _written(header: Mapping[str, Any]) -> str:
    return json.dumps(header, ensure_ascii=False, separators=(",", ":"))


def _padded(text: str) -> str:
    """With spaces behind it, so that the body begins aligned."""
    return text + " " * (-len(text.encode("utf-8", "surrogatepass")) % ALIGNMENT)


def _tensors(content: bytes, body: int, header: Mapping[str, Any]) -> dict[str, Array]:
    """All tensors, which must fill the body without gaps; `body` is where it begins."""
    places = {name: _place(name, entry) for name, entry in header.items()}
    end = 0
    for name, (start, length) in sorted(places.items(), key=lambda item: item[1]):
        if start != end:
            raise ValueError(f"tensor {name} begins at byte {start} of the body, not at {end}")
        end += length
    if body + end != len(content):
        raise ValueError(f"its tensors take {end:,} bytes, and {len(content) - body:,} are there")
    return {name: _tensor(content, body + places[name][0], entry) for name, entry in header.items()}


def _place(name: str, entry: Any) -> tuple[int, int]:
    """Where a tensor begins in the body, and its length in bytes."""
    if not isinstance(entry, dict) or entry.keys() != ENTRY or str(entry["dtype"]) not in TYPES:
        raise ValueError(f"the header describes tensor {name} by {entry!r:.100}, not by a known dtype, shape, offsets")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2 or len(shape) > MOST_AXES:
        raise ValueError(f"the shape or the offsets of tensor {name} are no whole numbers from 0 on")
    start, end = offsets
    length = math.prod(shape) * TYPES[entry["dtype"]].itemsize
    if end - start != length:
        raise ValueError(f"tensor {name} takes {length:,} bytes, and its offsets span {end - start:,}")
    return start, length


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 48 for value in values)


def _tensor(content: bytes, start: int, entry: Mapping[str, Any]) -> Array:
    dtype, count = TYPES[entry["dtype"]], math.prod(entry["shape"])
    if not count:
        return np.empty(entry["shape"], dtype)
    if start % dtype.itemsize:  # kernels need numbers that are aligned
        content, start = content[start : start + count * dtype.itemsize], 0
    return np.frombuffer(content, dtype, count, start).reshape(entry["shape"])
