"""What images lack, and how they are read: constant ends, pixels that were not measured, damage, size, sub-folders."""

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from parts import TINY, good_part, save_image
from PIL import Image

import blemish
from blemish import Detector, ImageError, Verdict
from blemish.arrays import Array
from blemish.images.read import constant_end
from blemish.images.training_image import TrainingImage
from blemish.model.inspection import Usual


@pytest.fixture(scope="module")
def detector() -> Detector:
    return blemish.fit([good_part(seed) for seed in range(20)], progress=False, **TINY)


def heights(seed: int, missing: float) -> Array:
    """A part as a height map of which a share, at its left, was not measured."""
    image = good_part(seed).astype(np.float32)
    image[:, : round(missing * image.shape[1])] = np.nan
    return image


@pytest.mark.parametrize(
    ("rows", "columns", "share"),
    [(0, 0, 0.0), (3, 0, 0.0), (24, 0, 0.25), (0, 36, 0.25), (65, 0, 65 / 96), (66, 0, 66 / 96), (96, 0, 1.0)],
)
def test_a_constant_end_is_measured(rows: int, columns: int, share: float) -> None:
    image = np.arange(96 * 144, dtype=np.uint16).reshape(96, 144)
    if rows:
        image[-rows:] = 7
    if columns:
        image[:, -columns:] = 7
    assert constant_end(image) == pytest.approx(share)
    assert constant_end(np.dstack([image] * 3)) == pytest.approx(share)


def test_an_end_of_one_value_that_no_good_image_has_is_for_review(detector: Detector) -> None:
    cut = good_part(50)
    cut[-8:] = cut[-9, 0]
    assert constant_end(cut) == pytest.approx(8 / 96)
    usual = Usual.of(detector.manifest.images)
    assert usual == Usual(end=0.0, measured=1.0)
    result = detector.inspect(cut)
    assert result.note is not None
    assert result.verdict in (Verdict.REVIEW, Verdict.NG)
    assert detector.inspect(good_part(50)).note is None


def test_an_end_that_good_images_have_is_no_reason() -> None:
    def strip(seed: int) -> Array:
        image = good_part(seed)
        image[-12:] = 0
        return image

    detector = blemish.fit([strip(seed) for seed in range(20)], progress=False, **TINY)
    assert detector.inspect(strip(50)).note is None


def test_models_that_do_not_know_their_images_ends_doubt_nothing() -> None:
    old = TrainingImage(path="a.png", group="a", height=96, width=144)
    assert Usual.of([old]) == Usual(None, None)
    assert Usual.of([old]).doubt(1.0) is None


def test_an_image_of_which_too_little_was_measured_is_an_error() -> None:
    detector = blemish.fit([heights(seed, 0.2) for seed in range(20)], progress=False, **TINY)
    few = heights(60, 0.5)
    result, enough = detector.inspect_many([heights(60, 0.7), few])
    assert result.verdict is Verdict.ERROR
    assert "29.9 % of its pixels" in str(result.error)
    assert enough.verdict is not Verdict.ERROR
    assert enough.unmeasured == np.isnan(few).sum()
    assert enough.to_dict()["unmeasured"] == enough.unmeasured


def test_the_models_mark_of_what_was_not_measured_holds_for_inspection() -> None:
    def marked(seed: int) -> Array:
        image = good_part(seed).astype(np.float32)
        image[:10, :10] = 300.0  # too near to the rest to be recognised
        return image

    detector = blemish.fit([marked(seed) for seed in range(20)], progress=False, nodata=300.0, **TINY)
    assert detector.inspect(marked(50)).unmeasured == 100


def test_damaged_files_are_read_on_request(tmp_path: Path, detector: Detector) -> None:
    buffer = io.BytesIO()
    Image.fromarray(good_part(50)).save(buffer, "JPEG", quality=95)
    path = tmp_path / "cut.jpg"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(ImageError, match="damaged"):
        detector.inspect(path)
    detector.save(tmp_path / "m.blemish")
    lenient = blemish.load(tmp_path / "m.blemish", accept_damaged=True)
    result = lenient.inspect(path)
    assert result.note is not None
    assert result.verdict is not Verdict.OK
    assert result.image().shape == (96, 144, 3)


def test_images_far_larger_than_the_good_ones_are_refused(detector: Detector, tmp_path: Path) -> None:
    large = save_image(tmp_path / "large.png", np.zeros((1200, 1200), np.uint8))
    with pytest.raises(ImageError, match="max_pixels"):
        detector.inspect(large)
    wide = Detector.of(detector.model, max_pixels=1200 * 1200)
    assert wide.inspect(large).verdict is not Verdict.ERROR
    with pytest.raises(blemish.OptionError, match="max_pixels=0"):
        Detector.of(detector.model, max_pixels=0)


def test_folders_inside_folders_are_read_on_request(tmp_path: Path, detector: Detector) -> None:
    save_image(tmp_path / "a.png", good_part(50))
    save_image(tmp_path / "line 2" / "b.png", good_part(51))
    assert len(list(detector.inspect_many(tmp_path))) == 1
    assert len(list(detector.inspect_many(tmp_path, recursive=True))) == 2


def test_a_file_rewritten_while_it_is_read_gives_one_image_or_an_error(tmp_path: Path, detector: Detector) -> None:
    """A mapped file that shrinks ends the process (SIGBUS); bytes that were read cannot."""
    path = tmp_path / "part.pgm"
    whole = b"P5\n144 96\n255\n" + good_part(50).tobytes()
    path.write_bytes(whole)
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            with path.open("r+b") as file:
                file.truncate(20)
                file.seek(0)
                file.write(whole)
                os.fsync(file.fileno())

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        results = list(detector.inspect_many([path] * 50))
    finally:
        stop.set()
        writer.join()
    expected = detector.inspect(path).score
    assert all(result.verdict is Verdict.ERROR or result.score == expected for result in results)
