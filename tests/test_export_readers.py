"""The readers in examples/readers/ say what the model says, without blemish."""

import shutil
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from other_readers import LIBRARY, READERS, CppReader, newer, read_pfm, run, unsealed
from parts import TINY, good_part, save_image, torn_part
from PIL import ExifTags, Image, ImageOps

from blemish.detector import Detector
from blemish.errors import ImageError
from blemish.export.compare import apart
from blemish.export.exporting import export_bytes
from blemish.export.seal import sealed
from blemish.fitting import fit
from blemish.result import Verdict

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


def test_python_refuses_what_the_model_refuses(
    folder: Path, export: Path, images: list[Path], detector: Detector, tmp_path: Path
) -> None:
    """A picture of another kind gets the verdict ERROR, with a sentence, and the rest goes on."""
    wide = save_image(tmp_path / "wide.png", good_part(0).astype(np.uint16) * 257)
    colours = tmp_path / "wide colours.png"
    cv2.imwrite(str(colours), np.repeat(good_part(0)[:, :, None], 3, axis=2) * np.uint16(257))
    pages, text = tmp_path / "pages.tif", tmp_path / "text.png"
    Image.open(images[0]).save(pages, save_all=True, append_images=[Image.open(images[1])])
    text.write_text("no picture")
    large = save_image(tmp_path / "large.png", np.random.default_rng(0).integers(0, 256, (1030, 1030), np.uint8))
    bad = [wide, colours, pages, text, large]
    ended = run(sys.executable, READERS / "reader.py", export, *bad, images[0])
    assert ended.returncode == 2
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["ERROR"] * 5 + [
        str(verdict(detector, images[0]))
    ]
    for path, sentence in zip(bad, ended.stderr.splitlines(), strict=True):
        assert path.name in sentence
        assert verdict(detector, path) is None

    padim = fit(folder / "fit", threads=1, size=TINY["size"], method="padim", resize="letterbox")
    (tmp_path / "padim.onnx").write_bytes(export_bytes(padim.model))
    tall = save_image(tmp_path / "tall.png", good_part(7, 180, 60))
    assert verdict(padim, tall) is None
    ended = run(sys.executable, READERS / "reader.py", tmp_path / "padim.onnx", tall, images[0])
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["ERROR", str(verdict(padim, images[0]))]
    assert "another aspect" in ended.stderr


def verdict(detector: Detector, image: Path) -> Verdict | None:
    """None where the model refuses the image."""
    try:
        return detector.inspect(image).verdict
    except ImageError:
        return None


def test_python_says_nothing_good_of_what_is_not_finite(export: Path, images: list[Path], tmp_path: Path) -> None:
    graph = onnx.load_from_string(unsealed(export))
    last = next(node for node in graph.graph.node if "score" in node.output)
    last.output[0] = "finite"
    minus = onnx.helper.make_node("Neg", ["finite"], ["below"])
    graph.graph.node.extend([minus, onnx.helper.make_node("Sqrt", ["below"], ["score"])])
    path = tmp_path / "nan.onnx"
    path.write_bytes(sealed(graph.SerializeToString()))
    ended = run(sys.executable, READERS / "reader.py", path, images[0])
    assert ended.stdout.startswith("ERROR"), "not OK"
    assert "NaN or infinity" in ended.stderr


def test_python_refuses_models_in_one_sentence(export: Path, folder: Path, images: list[Path], tmp_path: Path) -> None:
    crop = fit(folder / "fit", threads=1, resize="crop", **TINY)
    (tmp_path / "crop.onnx").write_bytes(export_bytes(crop.model))
    for path, words in [
        (newer(export, tmp_path), "by a newer blemish"),
        (changed(export, tmp_path), "was changed after it was exported"),
        (tmp_path / "crop.onnx", "no crop"),
    ]:
        said = run(sys.executable, READERS / "reader.py", path, images[0])
        assert words in said.stderr
        assert len(said.stderr.splitlines()) == 1
        assert (said.returncode, said.stdout) == (1, "")


def test_python_keeps_the_pixels_of_an_image_that_is_nearly_as_large_as_a_tiled_input(
    folder: Path, tmp_path: Path
) -> None:
    options = TINY | {"size": (160, 240), "tiles": 136, "taps": [2], "resize": "letterbox"}
    tiled, path = fit(folder / "fit", threads=1, **options), tmp_path / "tiled.onnx"
    path.write_bytes(export_bytes(tiled.model))
    nearly = save_image(tmp_path / "nearly.png", good_part(9, 158, 237))
    placement = tiled.model.manifest.transform.place(158, 237)
    assert (placement.content.height, placement.content.width) == (158, 237), "it is not resized"
    assert _scores(path, [nearly]) == pytest.approx([tiled.inspect(nearly).score], rel=1e-5)


def _scores(export: Path, images: list[Path]) -> list[float]:
    ended = run(sys.executable, READERS / "reader.py", export, *images)
    assert ended.returncode == 0, ended.stderr
    return [float(line.split(" ", 2)[1]) for line in ended.stdout.splitlines()]


@pytest.mark.skipif(
    shutil.which("g++") is None or LIBRARY is None, reason="needs g++, and ONNX Runtime's library for Linux"
)
def test_cpp(export: Path, images: list[Path], detector: Detector, folder: Path, tmp_path: Path) -> None:
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
    Image.new("RGB", (1030, 1030)).save(tmp_path / "large.ppm")
    assert "more pixels than the model takes" in reader(export, tmp_path / "large.ppm").stderr
    assert "by a newer blemish" in reader(newer(export, tmp_path), pictures[0]).stderr
    whole = fit(folder / "fit", threads=1, size=TINY["size"], method="1-nn")
    (tmp_path / "whole.onnx").write_bytes(export_bytes(whole.model))
    assert reader(tmp_path / "whole.onnx", pictures[0]).stdout.startswith(str(whole.inspect(images[0]).verdict))
    assert "a 1-NN model has no map" in reader("--maps", tmp_path, tmp_path / "whole.onnx", pictures[0]).stderr


OLD_RUNTIME = """
static const void* const* get(unsigned) { return nullptr; }
static const char* version() { return "1.10.0"; }
struct Base { const void* const* (*get)(unsigned); const char* (*version)(); } base{get, version};
extern "C" const Base* OrtGetApiBase() { return &base; }
"""
"""What an ONNX Runtime says that does not know the version of the table that is asked for."""


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_cpp_names_a_runtime_that_is_too_old(export: Path, images: list[Path], tmp_path: Path) -> None:
    source, program = tmp_path / "old.cpp", tmp_path / "reader"
    source.write_text(OLD_RUNTIME, encoding="utf-8")
    built = run("g++", "-O0", "-std=c++17", READERS / "reader.cpp", source, "-o", program)
    assert built.returncode == 0, built.stderr
    ended = run(program, export, images[0])
    assert (ended.returncode, ended.stderr) == (2, "ONNX Runtime 1.10.0 is too old; 1.17 or newer is needed\n")
