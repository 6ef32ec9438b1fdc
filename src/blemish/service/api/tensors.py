"""Pictures and maps as KServe's JSON has them: millions of numbers, read and written a piece at a time.

Python reads JSON in one go, in which no other thread runs: for a picture of four million pixels, no part of a line
would be answered for seconds. So this is done beside the thread that answers, with room for it after each piece.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blemish.arrays import Array, Floats
from blemish.service.problems import Problem

__all__ = ["Infer", "answer_pieces", "numbers_apart", "picture_bytes", "read_infer"]

PIECE, WRITTEN = 1 << 16, 1 << 12
"""Bytes that are read, and values that are written, at a time."""
FEW = 1 << 17
"""Values that are read in one go, where they are not all whole numbers."""
MOST_VALUES = 50_000_000
_DATA = re.compile(rb'"data"\s*:\s*(?=\[)')
_APART = re.compile(rb"\d[\[\] \t\r\n]+\d")
"""Two numbers without a comma."""
_NUMBERS = b"0123456789,[] \t\r\n"


class Tensor(BaseModel):
    """One input: `image` as UINT8 [H, W, 3], or as BYTES [1], a file in base64."""

    model_config = ConfigDict(extra="ignore")

    name: Literal["image"]
    datatype: Literal["UINT8", "BYTES"]
    shape: list[Annotated[int, Field(ge=1, le=100_000)]] = Field(max_length=4)
    data: list[Any] = Field(max_length=MOST_VALUES)


class Wanted(BaseModel):
    """One output that is asked for."""

    model_config = ConfigDict(extra="ignore")

    name: Literal["score", "verdict", "anomaly_map"]


class Infer(BaseModel):
    """A call for one picture."""

    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(max_length=200)] | None = None
    inputs: list[Tensor] = Field(min_length=1, max_length=1)
    outputs: list[Wanted] = Field(default=[], max_length=3)


def read_infer(body: bytes) -> tuple[Infer, bytes]:
    """A call and its picture. Raises RequestValidationError and Problem."""
    body, values = numbers_apart(body)
    if values is None and body.count(b",") > FEW:
        raise _unusable("so many values must all be whole numbers of 0 to 255")
    try:
        asked = Infer.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None
    return asked, picture_bytes(asked.inputs[0], values)


def picture_bytes(tensor: Tensor, values: Array | None) -> bytes:
    """The picture as the bytes of a file, which is what is kept; pixels become a PNG. Raises Problem."""
    try:
        if tensor.datatype == "BYTES":
            return base64.b64decode(str(tensor.data[0]), validate=True)
        pixels = np.asarray(tensor.data) if values is None else values
        height, width, channels = tensor.shape
        pixels = pixels.reshape(height, width, channels)
        if channels != 3 or pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > 255:
            raise ValueError("three channels of whole numbers of 0 to 255 are wanted")
        return cv2.imencode(".png", cv2.cvtColor(pixels.astype(np.uint8), cv2.COLOR_RGB2BGR))[1].tobytes()
    except (ValueError, TypeError, IndexError, OverflowError, binascii.Error) as error:
        raise _unusable(str(error)) from None


def answer_pieces(
    answer: Mapping[str, Any], outputs: Sequence[Mapping[str, Any]], map_HW: Floats | None
) -> Iterator[str]:
    """An answer as JSON; the output without `data` is the map."""
    yield json.dumps(answer, ensure_ascii=False)[:-1] + ', "outputs": ['
    for place, output in enumerate(outputs):
        yield ", " if place else ""
        if "data" in output or map_HW is None:
            yield json.dumps(output, ensure_ascii=False)
            continue
        yield json.dumps(output)[:-1] + ', "data": ['
        flat = np.nan_to_num(map_HW).astype(np.float32).ravel()
        for start in range(0, flat.size, WRITTEN):
            yield (", " if start else "") + ", ".join(map(repr, flat[start : start + WRITTEN].tolist()))
        yield "]}"
    yield "]}"


def _unusable(why: str) -> Problem:
    return Problem("invalid", f"The input image cannot be used: {why}.", errors=[{"pointer": "/inputs/0"}])


def numbers_apart(body: bytes) -> tuple[bytes, Array | None]:
    """The call without the values of its picture, and these, where they are whole numbers, in lists or in one."""
    found = _DATA.search(body, max(0, body.find(b'"data"')))
    if found is None or body.count(b'"data"') != 1:
        return body, None
    end = _end(body, found.end())
    region = body[found.end() : end].rstrip(b", \t\r\n")
    if not region.endswith(b"]") or region.count(b"[") != region.count(b"]") or not region.strip(b"[] \t\r\n"):
        return body, None
    return body[: found.end()] + b"[]" + body[found.end() + len(region) :], np.concatenate(list(_values(region)))


def _end(body: bytes, start: int) -> int:
    """Where the first byte stands that is no part of lists of whole numbers."""
    for at in range(start, len(body), PIECE):
        piece = body[at : at + PIECE]
        if rest := piece.translate(None, _NUMBERS):
            return at + piece.index(rest[:1])
    return len(body)


def _values(region: bytes) -> Iterator[Array]:
    """The numbers, a piece at a time. Raises Problem for what is no list of numbers below 1,000."""
    at = 0
    while at < len(region):
        end = region.find(b",", at + PIECE)
        yield _piece_values(region[at : end if end >= 0 else len(region)])
        at = end + 1 if end >= 0 else len(region)


def _piece_values(piece: bytes) -> Array:
    plain = np.frombuffer(piece.translate(None, b"[] \t\r\n"), np.uint8)
    commas = np.flatnonzero(plain == ord(","))
    ends = np.append(commas, len(plain))
    digits = np.diff(ends, prepend=-1) - 1
    if _APART.search(piece) or digits.min() < 1 or digits.max() > 3:
        raise _unusable("a whole number of 0 to 255 is wanted between two commas")
    padded = np.concatenate([np.zeros(3, np.int64), plain.astype(np.int64) - ord("0")])
    values = np.zeros(len(ends), np.int64)
    for place in range(3):
        values += np.where(digits > place, padded[ends + 2 - place], 0) * 10**place
    return values
