"""Judge 8- and 16-bit pictures by an export, areas and crop included: areas_reader.py part.onnx image ...

Needs numpy, Pillow, onnxruntime, and OpenCV, which reads 16-bit colours and says which cell is nearest.
"""

import base64
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

content = Path(sys.argv[1]).read_bytes()
if content[-64:] != hashlib.sha256(content[:-84]).hexdigest().encode():
    sys.exit(f"{sys.argv[1]} is no export, or was changed after it was exported.")
session = onnxruntime.InferenceSession(content)
document = json.loads(session.get_modelmeta().custom_metadata_map["blemish"])
how, ends = document["input"], document["thresholds"]
if document["format"] > 1 or how["pixels"] == "float32" or how["tiling"] or document["resizes"]:
    sys.exit("This reader judges 8- and 16-bit pictures by format 1: no float pixels, tiles or graph that resizes.")
height, width, deep = how["height"], how["width"], how["pixels"] == "uint16"
mask = document["places"] and np.array(Image.open(io.BytesIO(base64.b64decode(document["places"]["mask"]))))
TURNS: dict[int, tuple[int, bool]] = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False)}
TURNS |= {7: (1, True), 8: (1, False)}
"""By EXIF orientation: quarter turns against the clock, and whether left and right change places then."""


def decoded(path: str) -> np.ndarray:
    """The pixels, upright, H x W x 3. Raises ValueError for what the model refuses."""
    with Image.open(path, formats=("PNG", "JPEG", "BMP", "TIFF", "PPM")) as came:
        if came.width * came.height > document["max_pixels"] or max(came.size) > document["max_side"]:
            raise ValueError("it has more pixels than the model takes.")
        if came.format != "MPO" and getattr(came, "n_frames", 1) > 1:
            raise ValueError("it holds several pages or frames.")
        pixels = cv2.imread(path, cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.dtype != how["pixels"]:
            raise ValueError(f"its pixels are {None if pixels is None else pixels.dtype}, not {how['pixels']}.")
        if not deep:  # Pillow decodes as the model does
            return np.asarray(ImageOps.exif_transpose(came).convert("RGB"))
        turns, mirrored = TURNS.get(came.getexif().get(274, 1), (0, False))
    grey = pixels.ndim == 2
    pixels = np.repeat(pixels[:, :, None], 3, axis=2) if grey else pixels[:, :, 2::-1]  # of BGR, and without alpha
    pixels = np.rot90(pixels, turns)
    return pixels[:, ::-1] if mirrored else pixels


def looked_at(image: np.ndarray) -> np.ndarray:
    """The mask of the areas, for an image of this size."""
    if mask is None or mask.shape == image.shape[:2]:
        return np.ones(image.shape[:2], bool) if mask is None else mask
    across, down = image.shape[1] * mask.shape[0], image.shape[0] * mask.shape[1]
    if abs(across - down) > max(0.01 * down, *mask.shape):
        raise ValueError("it has another aspect than the image that the areas were drawn on.")
    size = image.shape[1], image.shape[0]
    return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT).astype(bool)


def hidden(image: np.ndarray, looked: np.ndarray) -> np.ndarray:
    """The mean of what counts in place of what does not."""
    if looked.all():
        return image
    image = image.copy()
    image[~looked] = np.rint(image[looked].mean(axis=0, dtype=np.float64))
    return image


def resized(image: np.ndarray, h: int, w: int) -> np.ndarray:
    """Pillow's bilinear filter; 16-bit values as float32, in which they stay."""
    if not deep:
        return np.asarray(Image.fromarray(image).resize((w, h), Image.Resampling.BILINEAR))
    planes = np.moveaxis(image.astype(np.float32), 2, 0)
    return np.stack([np.asarray(Image.fromarray(p).resize((w, h), Image.Resampling.BILINEAR)) for p in planes], axis=2)


def sized(image: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int], tuple[int, int, int, int]]:
    """The input; where it shows the image; and which part of the image: each top, left, height, width."""
    h, w = image.shape[:2]
    if how["resize"] == "stretch":
        return resized(image, height, width), (0, 0, height, width), (0, 0, h, w)
    if how["resize"] == "crop":
        by_height = h * width <= w * height
        one = round((height if by_height else width) * 256 / 224)
        full = (one, int(one * w / h)) if by_height else (int(one * h / w), one)
        top, left = round((full[0] - height) / 2), round((full[1] - width) / 2)
        y, x = round(top * h / full[0]), round(left * w / full[1])
        seen = max(1, round(height * h / full[0])), max(1, round(width * w / full[1]))
        part = resized(image, *full)[top : top + height, left : left + width]
        return part, (0, 0, height, width), (y, x, min(seen[0], h - y), min(seen[1], w - x))
    scale = min(height / h, width / w)
    down, across = max(1, round(h * scale)), max(1, round(w * scale))
    y, x = (height - down) // 2, (width - across) // 2
    around = ((y, height - down - y), (x, width - across - x), (0, 0))
    return np.pad(resized(image, down, across), around, mode="edge"), (y, x, down, across), (0, 0, h, w)


def along(count: int, side: int, place: tuple[int, int], seen: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Of the cells along one side: which have their centre on the image, and the pixel under each centre."""
    centres, (start, length) = (np.arange(count) + 0.5) * side / count, place
    on = (centres >= start) & (centres < start + length)
    if not on.any():
        on[np.abs(centres - (start + length / 2)).argmin()] = True
    pixel = (seen[0] + (centres - start) * (seen[1] / length)).astype(int)
    return on, np.clip(pixel, 0, seen[0] + seen[1] - 1)


def cells(grid: dict[str, int], place: Any, seen: Any, looked: np.ndarray) -> np.ndarray:
    """Which cell's score each cell shows: its own where it counts, else that of the nearest one that does."""
    rows, y = along(grid["rows"], height, place[::2], seen[::2])
    columns, x = along(grid["columns"], width, place[1::2], seen[1::2])
    counts = rows[:, None] & columns
    if counts.size > 1:
        counts &= looked[np.ix_(y, x)]
    numbers = np.arange(counts.size, dtype=np.int32).reshape(counts.shape)
    if counts.all():
        return numbers
    if not counts.any():
        raise ValueError("the areas hold no cell of it.")
    _, nearest = cv2.distanceTransformWithLabels(
        (~counts).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    number_of = np.zeros(int(nearest.max()) + 1, np.int32)
    number_of[nearest[counts]] = numbers[counts]
    return np.asarray(number_of[nearest])


def constant_end(pixels: np.ndarray) -> float:
    """The share of the last rows that hold one constant value, where there are four or more."""
    varies = (pixels != pixels[-1, -1]).any(axis=(1, 2))[::-1]
    count = int(varies.argmax()) if varies.any() else len(pixels)
    return count / len(pixels) if count >= 4 else 0.0


def judged(path: str) -> tuple[str, float]:
    """Verdict and score. Raises ValueError or OSError for what cannot be judged."""
    image = decoded(path)
    looked = looked_at(image)
    pixels, place, seen = sized(hidden(image, looked))
    if deep:
        codes = np.clip((pixels - how["low"]) / (how["high"] - how["low"]), 0, 1) * 65535
        pixels = np.rint(codes).astype(np.uint16)
    shown = {grid["name"]: cells(grid, place, seen, looked) for grid in document["cells"]}
    first = cells(dict(zip(("rows", "columns"), document["grid"], strict=True)), place, seen, looked)
    if document["only_cells"] not in (None, np.unique(first).tolist()):
        raise ValueError("it has another aspect than the good images.")
    score = float(session.run(["score"], {"image": pixels, **shown})[0][0])
    if not np.isfinite(score):
        raise ValueError("it makes the network answer NaN or infinity.")
    end = max(constant_end(image), constant_end(image.swapaxes(0, 1)))
    doubted = document["end"] is not None and end >= max(1 / 32, 2 * document["end"])
    if score > ends["threshold"]:
        return "NG", score
    return "REVIEW" if score > ends["review_threshold"] or doubted else "OK", score


failed = False
for path in sys.argv[2:]:
    try:
        print(*judged(path), path)
    except Exception as error:  # whatever it was: this part is not judged
        failed = True
        print("ERROR", float("nan"), path)
        print(f"{path}: {error}", file=sys.stderr)
sys.exit(2 if failed else 0)
