"""Judge 8-bit pictures by an export of blemish with numpy, Pillow, onnxruntime: short_reader.py part.onnx image ..."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

content = Path(sys.argv[1]).read_bytes()
if content[-64:] != hashlib.sha256(content[:-84]).hexdigest().encode():
    sys.exit(f"{sys.argv[1]} is no export, or was changed after it was exported.")
session = onnxruntime.InferenceSession(content)
document = json.loads(session.get_modelmeta().custom_metadata_map["blemish"])
how, ends, (rows, columns) = document["input"], document["thresholds"], document["grid"]
if document["format"] > 1 or how["pixels"] != "uint8" or how["resize"] == "crop" or how["tiling"] or document["places"]:
    sys.exit("This reader judges 8-bit pictures whole, by format 1: no areas, crop or tiles. Take another reader.")
height, width = how["height"], how["width"]


def constant_end(pixels: np.ndarray) -> float:
    varies = (pixels != pixels[-1, -1]).any(axis=(1, 2))[::-1]
    count = int(varies.argmax()) if varies.any() else len(pixels)
    return count / len(pixels) if count >= 4 else 0.0


def judged(path: str) -> tuple[str, float]:
    came = Image.open(path, formats=("PNG", "JPEG", "BMP"))
    many = came.format != "MPO" and getattr(came, "n_frames", 1) > 1
    deep = came.format == "PNG" and Path(path).read_bytes()[24] > 8
    if many or deep or came.width * came.height > document["max_pixels"] or max(came.size) > document["max_side"]:
        raise ValueError("it has more bits, frames or pixels than the model takes.")
    image = ImageOps.exif_transpose(came).convert("RGB")
    scale = min(height / image.height, width / image.width)
    if how["resize"] == "letterbox" and (round(image.height * scale), round(image.width * scale)) != (height, width):
        raise ValueError(f"its sides are not as {height} to {width}; take reader.py.")
    sized = image if document["resizes"] else image.resize((width, height), Image.Resampling.BILINEAR)
    grids = {each["name"]: (each["rows"], each["columns"]) for each in document["cells"]}
    cells = {name: np.arange(h * w, dtype=np.int32).reshape(h, w) for name, (h, w) in grids.items()}
    score = float(session.run(["score"], {"image": np.asarray(sized), **cells})[0][0])
    if not np.isfinite(score) or document["only_cells"] not in (None, list(range(rows * columns))):
        raise ValueError("the model cannot judge it.")
    end = max(constant_end(np.asarray(image)), constant_end(np.asarray(image).swapaxes(0, 1)))
    doubted = document["end"] is not None and end >= max(1 / 32, 2 * document["end"])
    review = score > ends["review_threshold"] or doubted
    return ("NG" if score > ends["threshold"] else "REVIEW" if review else "OK"), score


failed = False
for path in sys.argv[2:]:
    try:
        print(*judged(path), path)
    except Exception as error:  # whatever it was: this part is not judged
        failed = True
        print("ERROR", float("nan"), path)
        print(f"{path}: {error}", file=sys.stderr)
sys.exit(2 if failed else 0)
