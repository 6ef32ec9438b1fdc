"""The short reader in examples/readers says what the model says, or that a picture is not judged."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from other_readers import READERS, run
from parts import TINY, good_part, save_image, scratched_part, torn_part
from PIL import ExifTags, Image

from blemish.detector import Detector
from blemish.export.exporting import export_bytes
from blemish.fitting import fit


@pytest.fixture(scope="module")
def stretching(folder: Path) -> Detector:
    return fit(folder / "fit", threads=1, size=TINY["size"], resize="stretch")


def said(export: Path, *images: Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, READERS / "short_reader.py", export, *images)


def check_judged(detector: Detector, export: Path, images: Sequence[Path]) -> None:
    ended = said(export, *images)
    assert ended.returncode == 0, ended.stderr
    for line, image in zip(ended.stdout.splitlines(), images, strict=True):
        verdict, score, path = line.split(" ", 2)
        ours = detector.inspect(image)
        assert (Path(path), verdict) == (image, str(ours.verdict))
        assert float(score) == pytest.approx(ours.score, rel=1e-5)


@pytest.mark.parametrize("resizes", [False, True])
def test_it_says_what_the_model_says(stretching: Detector, folder: Path, tmp_path: Path, resizes: bool) -> None:
    export = tmp_path / "part.onnx"
    export.write_bytes(export_bytes(stretching.model, resizes=resizes))
    drawn = {
        "tall": good_part(7, 180, 60),
        "scratched": scratched_part(3).grey,
        "torn": torn_part(7),
    }
    images = sorted((folder / "line").glob("*.png"))
    images += [save_image(tmp_path / f"{name}.png", pixels) for name, pixels in drawn.items()]
    turned, exif = tmp_path / "turned.jpg", Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(good_part(8, 90, 160)).save(turned, exif=exif)
    check_judged(stretching, export, [*images, turned])


def test_letterboxed_pictures_are_judged_where_they_fill_the_input(
    detector: Detector, folder: Path, tmp_path: Path
) -> None:
    export = tmp_path / "part.onnx"
    export.write_bytes(export_bytes(detector.model))
    how = detector.model.manifest.transform
    assert how.resize == "letterbox"
    filling = save_image(tmp_path / "filling.png", good_part(3, 2 * how.height, 2 * how.width))
    check_judged(detector, export, [filling])
    tall = save_image(tmp_path / "tall.png", good_part(3, 180, 60))
    ended = said(export, tall, filling)
    assert ended.returncode == 2
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["ERROR", str(detector.inspect(filling).verdict)]
    assert "its sides are not as" in ended.stderr


def test_what_it_cannot_judge_is_an_error(stretching: Detector, tmp_path: Path) -> None:
    export = tmp_path / "part.onnx"
    content = export_bytes(stretching.model)
    export.write_bytes(content)
    wide = save_image(tmp_path / "wide.png", good_part(0).astype(np.uint16) * 257)
    frames, text, cut = tmp_path / "frames.png", tmp_path / "text.png", tmp_path / "cut.png"
    parts = [Image.fromarray(good_part(number)) for number in (1, 2)]
    parts[0].save(frames, save_all=True, append_images=parts[1:])
    text.write_text("no picture")
    cut.write_bytes(wide.read_bytes()[:900])
    bad = [wide, frames, text, cut, tmp_path / "missing.png"]
    ended = said(export, *bad)
    assert ended.returncode == 2
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["ERROR"] * len(bad)
    assert len(ended.stderr.splitlines()) == len(bad)
    export.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    ended = said(export, frames)
    assert ended.returncode == 1
    assert "changed after it was exported" in ended.stderr
