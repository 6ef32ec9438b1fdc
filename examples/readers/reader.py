"""Judge images by an export of blemish with numpy, Pillow and onnxruntime alone: reader.py part.onnx image ..."""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from PIL import Image, TiffImagePlugin

FORMAT = 1
content = Path(sys.argv[1]).read_bytes()
if content[-64:] != hashlib.sha256(content[:-84]).hexdigest().encode():
    sys.exit(f"{sys.argv[1]} is no export, or was changed after it was exported.")
session = onnxruntime.InferenceSession(content)
document = json.loads(session.get_modelmeta().custom_metadata_map["blemish"])
if document["format"] > FORMAT:
    sys.exit(f"{sys.argv[1]} was made by a newer blemish; take the reader of that version.")
how, ends = document["input"], document["thresholds"]
if how["pixels"] != "uint8" or document["places"] or how["resize"] == "crop":
    sys.exit("This reader judges 8-bit pictures whole: no areas, no crop. Take areas_reader.py.")
height, width, tiling = how["height"], how["width"], how["tiling"]
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


def check_kind(came: Image.Image, path: str) -> None:
    """Refuse what the model refuses: more than 8 bits, which Pillow would cut, several pages, and too many pixels."""
    if came.width * came.height > document["max_pixels"] or max(came.size) > document["max_side"]:
        raise ValueError(f"{path} is {came.width} x {came.height} pixels, more than the model takes.")
    depth = Path(path).read_bytes()[24:25] == b"\x10" if came.format == "PNG" else False
    bits = came.tag_v2.get(258, 8) if isinstance(came, TiffImagePlugin.TiffImageFile) else 8
    if depth or np.max(bits) > 8 or came.mode.startswith(("I", "F")):
        raise ValueError(f"{path} has more than 8 bits, but the model was fitted on 8-bit images.")
    if came.format != "MPO" and getattr(came, "n_frames", 1) > 1:
        raise ValueError(f"{path} holds several pages or frames; save the one to inspect as its own file.")


def size_in_input(image: Image.Image) -> tuple[int, int]:
    """The height and width to which an image is resized."""
    if how["resize"] == "stretch":
        return height, width
    if tiling and all(0 <= d < tiling["unit"] for d in (height - image.height, width - image.width)):
        return image.height, image.width
    scale = min(height / image.height, width / image.width)
    return max(1, round(image.height * scale)), max(1, round(image.width * scale))


def judged(path: str) -> tuple[str, float]:
    """Verdict and score. Raises ValueError or OSError for what cannot be judged."""
    came = Image.open(path)
    check_kind(came, path)
    turn = orientation(came)
    image = (came.transpose(Image.Transpose(TURNS[turn])) if turn in TURNS else came).convert("RGB")
    h, w = size_in_input(image)
    y, x = (height - h) // 2, (width - w) // 2

    def shown(grid: dict[str, int]) -> np.ndarray:
        down, across = cells(grid["rows"], height, y, h), cells(grid["columns"], width, x, w)
        return np.asarray(down[:, None] * grid["columns"] + across, np.int32)

    rows, columns = document["grid"]
    if document["only_cells"] not in (None, np.unique(shown({"rows": rows, "columns": columns})).tolist()):
        raise ValueError(f"{path} has another aspect than the good images.")
    sized = np.asarray(image.resize((w, h), Image.Resampling.BILINEAR))
    feeds = {"image": np.pad(sized, ((y, height - h - y), (x, width - w - x), (0, 0)), mode="edge")}
    feeds |= {grid["name"]: shown(grid) for grid in document["cells"]}
    score = float(session.run(["score"], feeds)[0][0])
    if not np.isfinite(score):
        raise ValueError(f"{path} makes the network answer NaN or infinity.")
    end = max(constant_end(np.asarray(image)), constant_end(np.asarray(image).swapaxes(0, 1)))
    doubted = document["end"] is not None and end >= max(1 / 32, 2 * document["end"])
    if score > ends["threshold"]:
        return "NG", score
    return "REVIEW" if score > ends["review_threshold"] or doubted else "OK", score


failed = False
for path in sys.argv[2:]:
    try:
        print(*judged(path), path)
    except (ValueError, OSError, SyntaxError) as error:
        failed = True
        print("ERROR", float("nan"), path)
        print(error, file=sys.stderr)
sys.exit(2 if failed else 0)
