"""The readers in examples/readers/ say what the model says, without blemish."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from other_readers import LIBRARY, READERS, CppReader, read_pfm
from parts import good_part, save_image, torn_part
from PIL import ExifTags, Image, ImageOps

from blemish.detector import Detector
from blemish.export.compare import apart
from blemish.export.exporting import export_bytes

ORIENTATION = ExifTags.Base.Orientation


@pytest.fixture(scope="module")
def export(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "part.onnx"
    path.write_bytes(export_bytes(detector.model))
    return path


@pytest.fixture(scope="module")
def images(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    odd = tmp_path_factory.mktemp("odd")
    sizes = {"tall": (180, 60), "wide": (40, 200), "large": (301, 451)}
    drawn = [save_image(odd / f"{name}.png", good_part(7, *size)) for name, size in sizes.items()]
    drawn.append(save_image(odd / "torn.png", torn_part(7)))
    return [*sorted((folder / "line").glob("*.png")), *drawn]


def check(said: str, detector: Detector, images: list[Path]) -> None:
    """Each line: verdict, score, path."""
    lines = said.splitlines()
    assert lines[-1].startswith("REVIEW"), "the torn part"
    assert len(lines) == len(images)
    for line, image in zip(lines, images, strict=True):
        verdict, score, path = line.split(" ", 2)
        ours = detector.inspect(image)
        assert (Path(path).stem, verdict) == (image.stem, str(ours.verdict))
        assert float(score) == pytest.approx(ours.score, rel=1e-5)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


def changed(export: Path, folder: Path) -> Path:
    """The export with one bit turned."""
    broken, content = folder / "broken.onnx", bytearray(export.read_bytes())
    content[1000] ^= 1
    broken.write_bytes(content)
    return broken


def test_python(export: Path, images: list[Path], detector: Detector, tmp_path: Path) -> None:
    ended = run(sys.executable, READERS / "reader.py", export, *images)
    assert ended.returncode == 0, ended.stderr
    check(ended.stdout, detector, images)
    said = run(sys.executable, READERS / "reader.py", changed(export, tmp_path), images[0]).stderr
    assert "changed after it was exported" in said


NOT_TEXT, OUTSIDE = (0x151, 11, 1, 0), (0x10E, 5, 1, 90)
"""Beside the orientation: a number where text belongs, so that Pillow cannot write the block again; a fraction that
lies outside the block, so that Pillow misses the tags behind it."""


def test_python_turns_images_as_the_model_does(
    export: Path, images: list[Path], detector: Detector, tmp_path: Path
) -> None:
    turned = []
    with Image.open(images[0]) as came:
        part = came.resize((came.width, came.height * 3 // 4))
    for orientation in range(1, 9):
        tags = sorted([(ORIENTATION, 3, 1, orientation << 16), OUTSIDE if orientation % 3 else NOT_TEXT])
        block = struct.pack(">IH", 8, 2) + b"".join(struct.pack(">HHII", *tag) for tag in tags)
        turned.append(tmp_path / f"{orientation}.png")
        part.save(turned[-1], exif=b"Exif\0\0MM\0*" + block + bytes(8))
    turned.append(tmp_path / "no tags.png")
    part.save(turned[-1], exif=b"Exif\0\0no tags")
    scores = _scores(export, turned)
    assert scores == pytest.approx([detector.inspect(path).score for path in turned], rel=1e-5)
    assert len({round(score, 6) for score in scores}) > 1, "turned images look different to the model"


def test_python_turns_sound_images_as_pillow_does(export: Path, images: list[Path], tmp_path: Path) -> None:
    """Pillow's own exif_transpose makes pictures of the same score: also of TIFF, which were turned twice."""
    came, made = [], []
    with Image.open(images[0]) as image:
        part = image.resize((image.width, image.height * 3 // 4))
    for orientation, suffix, order in [(3, "tif", "<"), (5, "tif", ">"), (6, "png", "<"), (8, "png", ">")]:
        came.append(tmp_path / f"{orientation}.{suffix}")
        exif = Image.Exif()
        exif.endian = order
        exif[ORIENTATION] = orientation
        part.save(came[-1], exif=exif)
        made.append(tmp_path / f"upright {orientation}.png")
        with Image.open(came[-1]) as stored:
            ImageOps.exif_transpose(stored).save(made[-1])
    scores = _scores(export, [*came, *made])
    assert scores[:4] == scores[4:]


def _scores(export: Path, images: list[Path]) -> list[float]:
    ended = run(sys.executable, READERS / "reader.py", export, *images)
    assert ended.returncode == 0, ended.stderr
    return [float(line.split(" ", 2)[1]) for line in ended.stdout.splitlines()]


@pytest.mark.skipif(
    shutil.which("g++") is None or LIBRARY is None, reason="needs g++, and ONNX Runtime's library for Linux"
)
def test_cpp(export: Path, images: list[Path], detector: Detector, tmp_path: Path) -> None:
    reader = CppReader(tmp_path)
    pictures = []
    for image in images:
        pictures.append(tmp_path / f"{image.stem}.ppm")
        Image.open(image).convert("RGB").save(pictures[-1])

    ended = reader("--maps", tmp_path, export, *pictures)
    assert ended.returncode == 0, ended.stderr
    check(ended.stdout, detector, images)
    for image, picture in zip(images, pictures, strict=True):
        ours = detector.inspect(image).anomaly_map
        assert ours is not None
        assert apart(ours, read_pfm(picture.with_name(f"{picture.name}.pfm"))) < 1e-5
    assert "was changed after it was exported" in reader(changed(export, tmp_path), pictures[0]).stderr
    assert "is no PGM or PPM" in reader(export, images[0]).stderr
