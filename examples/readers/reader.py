"""Judge images by an export of blemish with numpy, Pillow and onnxruntime alone: reader.py part.onnx image ..."""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from PIL import Image

content = Path(sys.argv[1]).read_bytes()
assert content[-64:].decode() == hashlib.sha256(content[:-84]).hexdigest(), "changed after it was exported"
session = onnxruntime.InferenceSession(content)
document = json.loads(session.get_modelmeta().custom_metadata_map["blemish"])
how, ends = document["input"], document["thresholds"]
height, width, letterbox = how["height"], how["width"], how["resize"] == "letterbox"
assert (how["pixels"], document["places"]) == ("uint8", None), "see docs/export.md"
assert how["resize"] != "crop", "see docs/export.md"
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
ORDERS: dict[bytes, tuple[Literal["little", "big"], bytes]] = {
    b"II*\0": ("little", b"\x12\x01\x03\0"),
    b"MM\0*": ("big", b"\x01\x12\0\x03"),
}
"""How a block of EXIF tags begins, the order of its bytes, and how the tag of the orientation begins."""


def orientation(came: Image.Image) -> int | None:
    """How the camera was held. The other tags do not matter; Pillow misses what follows one that it cannot read."""
    came.load()  # which turns a TIFF upright, and forgets its tag
    block = re.sub(rb"^(Exif\0\0)+", b"", came.info.get("exif", b""))
    order, wanted = ORDERS.get(block[:4], ("big", b"none"))
    first = int.from_bytes(block[4:8], order) + 2
    count = int.from_bytes(block[first - 2 : first], order) if block[:4] in ORDERS else 0
    for tag in (block[first + 12 * number :][:12] for number in range(count)):
        if tag[:4] == wanted and len(tag) == 12:
            return int.from_bytes(tag[8:10], order)
    try:
        return came.getexif().get(274)  # told by XMP, or by the tags of a TIFF
    except SyntaxError:
        return None


def cells(count: int, side: int, start: int, length: int) -> np.ndarray:
    """Along one side, the cell whose score each cell shows: of those off the image, the nearest one on it."""
    centres = (np.arange(count) + 0.5) * side / count
    on = np.flatnonzero((centres >= start) & (centres < start + length))
    if not len(on):
        on = np.abs(centres - (start + length / 2)).argmin().reshape(1)
    return np.clip(np.arange(count), on[0], on[-1])


def constant_end(pixels: np.ndarray) -> float:
    """The share of the last rows that hold one constant value, where there are four or more."""
    constant = (pixels == pixels[-1, -1]).all(axis=(1, 2))[::-1]
    count = int(constant.argmin()) if not constant.all() else len(pixels)
    return count / len(pixels) if count >= 4 else 0.0


for path in sys.argv[2:]:
    came = Image.open(path)
    turn = orientation(came)
    image = (came.transpose(Image.Transpose(TURNS[turn])) if turn in TURNS else came).convert("RGB")
    scale = min(height / image.height, width / image.width)
    h, w = (
        max(1, round(side * scale)) if letterbox else to for side, to in ((image.height, height), (image.width, width))
    )
    y, x = (height - h) // 2, (width - w) // 2
    sized = np.asarray(image.resize((w, h), Image.Resampling.BILINEAR))
    feeds = {"image": np.pad(sized, ((y, height - h - y), (x, width - w - x), (0, 0)), mode="edge")}
    for grid in document["cells"]:
        rows, columns = cells(grid["rows"], height, y, h), cells(grid["columns"], width, x, w)
        feeds[grid["name"]] = (rows[:, None] * grid["columns"] + columns).astype(np.int32)
    score = float(session.run(["score"], feeds)[0][0])
    end = max(constant_end(np.asarray(image)), constant_end(np.asarray(image).swapaxes(0, 1)))
    doubted = document["end"] is not None and end >= max(1 / 32, 2 * document["end"])
    verdict = "NG" if score > ends["threshold"] else "REVIEW" if score > ends["review_threshold"] or doubted else "OK"
    print(verdict, score, path)
