"""The reader of 16-bit pictures, areas and crop says what the model says, without blemish."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from other_readers import READERS, run
from parts import TINY, good_part, save_image, torn_part
from PIL import ExifTags, Image

from blemish.arrays import Array
from blemish.errors import ImageError
from blemish.export.exporting import export_bytes
from blemish.fitting import fit

AREAS: dict[str, Any] = {"include": "10,5,100x70", "ignore": "20,20 60,25 40,60"}
Maker = Callable[[int, int, int], Array]


def deep_grey(seed: int, height: int, width: int) -> Array:
    return good_part(seed, height, width).astype(np.uint16) * np.uint16(201) + np.uint16(3)


def deep_colours(seed: int, height: int, width: int) -> Array:
    grey = deep_grey(seed, height, width)
    return np.stack([grey, grey // 2, np.uint16(60000) - grey], axis=2)


def write(path: Path, image: Array) -> Path:
    """A file of all bits; colours are RGB."""
    if image.dtype == np.uint8:
        return save_image(path, image)
    cv2.imwrite(str(path), image if image.ndim == 2 else image[:, :, ::-1])
    return path


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (deep_grey, {"resize": "letterbox"}),
        (deep_colours, {"resize": "stretch", **AREAS}),
        (deep_grey, {"resize": "crop", **AREAS}),
        (good_part, {"resize": "letterbox", **AREAS}),
        (good_part, {"resize": "crop"}),
        (good_part, {"resize": "letterbox", "looks": "64:2+3,32:2+3:even", **AREAS}),
    ],
)
def test_it_says_what_the_model_says(make: Maker, options: dict[str, Any], tmp_path: Path) -> None:
    good = [write(tmp_path / f"good{seed}.png", make(seed, 90, 120)) for seed in range(6)]
    size = {} if "looks" in options else {"size": TINY["size"]}
    detector = fit(good, threads=1, coreset=40, progress=False, **size, **options)
    export = tmp_path / "part.onnx"
    export.write_bytes(export_bytes(detector.model))
    images = [write(tmp_path / f"{seed}.png", make(seed, 90, 120)) for seed in (7, 8)]
    images += [write(tmp_path / f"{side}.tif", make(9, 3 * side, 4 * side)) for side in (29, 61)]
    images.append(write(tmp_path / "tall.png", make(9, 150, 70)))
    if make is good_part:
        images.append(save_image(tmp_path / "torn.png", torn_part(7)))

    ended = run(sys.executable, READERS / "areas_reader.py", export, *images)
    lines = [line.split(" ", 2) for line in ended.stdout.splitlines()]
    assert len(lines) == len(images), ended.stderr
    refused = 0
    for (verdict, score, _), image in zip(lines, images, strict=True):
        try:
            ours = detector.inspect(image)
        except ImageError:
            refused += 1
            assert verdict == "ERROR"
            continue
        assert verdict == str(ours.verdict)
        assert float(score) == pytest.approx(ours.score, rel=1e-5)
    assert bool(refused) == ("include" in options), "areas do not fit an image of another aspect"
    assert ended.returncode == (2 if refused else 0)


def test_it_turns_and_refuses_as_the_model_does(tmp_path: Path) -> None:
    good = [write(tmp_path / f"good{seed}.png", deep_grey(seed, 90, 120)) for seed in range(6)]
    detector = fit(good, threads=1, coreset=40, progress=False, resize="letterbox", size=TINY["size"])
    export = tmp_path / "part.onnx"
    export.write_bytes(export_bytes(detector.model))
    turned = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        turned.append(tmp_path / f"{orientation}.png")
        Image.fromarray(deep_grey(9, 90, 120)).save(turned[-1], exif=exif)
    shallow, text = save_image(tmp_path / "shallow.png", good_part(0)), tmp_path / "text.png"
    text.write_text("no picture")
    ended = run(sys.executable, READERS / "areas_reader.py", export, *turned, shallow, text)
    lines = [line.split(" ", 2) for line in ended.stdout.splitlines()]
    assert [verdict for verdict, *_ in lines[8:]] == ["ERROR"] * 2
    assert len(ended.stderr.splitlines()) == 2
    scores = [float(score) for _, score, _ in lines[:8]]
    assert scores == pytest.approx([detector.inspect(path).score for path in turned], rel=1e-5)
    assert len({round(score, 5) for score in scores}) > 1, "turned images look different to the model"
