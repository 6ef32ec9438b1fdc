"""Tables, pictures and pages made of results."""

import base64
import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from parts import good_part, save_image
from PIL import Image

from blemish.arrays import Bytes, Floats
from blemish.calibration.thresholds import Wanted, set_thresholds
from blemish.detector import Detector
from blemish.errors import DataError
from blemish.images.transform import Transform
from blemish.reports.folders import MaskFolder, OverlayFolder
from blemish.reports.page import write_page
from blemish.reports.table import CsvFile, JsonLines
from blemish.result import Box, Nearest, Region, Result, Verdict
from blemish.scoring.colours import heat_colours
from blemish.scoring.heatmap import find_regions
from blemish.scoring.picture import captioned, displayable, overlay

NEAREST = Nearest("good/1.png", 5, 6, 7.5, at=(9, 8))
REGION = Region(Box(3, 4, 10, 5), 40, 7.5, [(3, 4), (12, 4), (12, 8), (3, 8)], [NEAREST])
NG = Result("線 1/部品.png", Verdict.NG, 7.5, 2.0, regions=[REGION], nearest=NEAREST)
OK = Result("a,b.png", Verdict.OK, 1.0, 2.0)
ERROR = Result("cut.png", Verdict.ERROR, float("nan"), 2.0, error='cut.png is "cut", short')
RESULTS = [NG, OK, ERROR]


def test_csv_opens_in_a_spreadsheet_and_in_python(tmp_path: Path) -> None:
    path = tmp_path / "結果.csv"
    with CsvFile(path) as file:
        for result in RESULTS:
            file.add(result)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfpath,verdict,score,")
    with path.open(encoding="utf-8-sig", newline="") as text:
        first, second, third = csv.DictReader(text)
    assert (first["path"], first["verdict"], float(first["score"])) == ("線 1/部品.png", "NG", 7.5)
    assert [first[name] for name in ("regions", "x", "y", "width", "height", "area")] == [
        "1",
        "3",
        "4",
        "10",
        "5",
        "40",
    ]
    assert [first[name] for name in ("nearest", "nearest_x", "nearest_y", "distance")] == [
        "good/1.png",
        "5",
        "6",
        "7.5",
    ]
    assert (second["path"], second["regions"], second["x"], second["error"]) == ("a,b.png", "0", "", "")
    assert (third["verdict"], third["score"], third["error"]) == ("ERROR", "", ERROR.error)


def test_json_lines_hold_everything_but_arrays(tmp_path: Path) -> None:
    with JsonLines(tmp_path / "a.jsonl") as file:
        for result in RESULTS:
            file.add(result)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows == [json.loads(json.dumps(result.to_dict())) for result in RESULTS]
    assert rows[0]["regions"][0]["outline"][1] == [12, 4]
    assert rows[2]["score"] is None


def test_a_row_has_every_field_of_a_result_that_is_no_array() -> None:
    fields = set(Result.__dataclass_fields__) - {"anomaly_map", "mask", "matches", "picture"} - {"is_distance"}
    # What `is_distance` says, the multiple of the threshold shows: it is None for a score that is no distance.
    assert set(NG.to_dict()) == fields | {"times_threshold"}
    assert NG.to_dict()["times_threshold"] == 3.75
    assert replace(NG, threshold=0.0).to_dict()["times_threshold"] is None


@pytest.mark.parametrize("kind", [CsvFile, JsonLines])
def test_rows_are_whole_on_the_disk_as_they_come(tmp_path: Path, kind: Callable[[Path], Any]) -> None:
    path = tmp_path / "rows"
    with kind(path) as file:
        file.add(OK)
        assert path.read_bytes().endswith(b"\n")
        assert b"a,b.png" in path.read_bytes()


class FullDisk(io.BytesIO):
    """Takes a number of bytes, writes what fits, then fails as a full disk does."""

    def __init__(self, free: int) -> None:
        super().__init__()
        self.free = free

    def write(self, data: Any) -> int:
        part = bytes(data)[: self.free]
        if not part:
            raise OSError(28, "No space left on device")
        self.free -= len(part)
        return super().write(part)

    def close(self) -> None:
        """Stay readable."""


def test_a_full_disk_leaves_whole_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = len(json.dumps(OK.to_dict(), ensure_ascii=False)) + 1
    disk = FullDisk(2 * line + 7)
    monkeypatch.setattr(Path, "open", lambda *_, **__: disk)
    file = JsonLines(tmp_path / "a.jsonl")
    file.add(OK)
    file.add(OK)
    with pytest.raises(DataError, match=r"a\.jsonl cannot be written: No space left on device; the rows already in it"):
        file.add(OK)
    assert [json.loads(row)["path"] for row in disk.getvalue().splitlines()] == ["a,b.png"] * 2


def test_names_that_are_no_unicode_are_escaped(tmp_path: Path) -> None:
    """Linux allows any bytes as a file name."""
    with JsonLines(tmp_path / "a.jsonl") as file:
        file.add(replace(OK, path="bad\udcff.png"))
    assert json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))["path"] == "bad\udcff.png"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.csv cannot be written.*create its folder"):
        CsvFile(tmp_path / "absent" / "rows.csv")


def heated(height: int = 40, width: int = 60) -> Result:
    """A map that rises from 0 at the left to 3 at the right; the threshold is 1."""
    map_HW = np.tile(np.linspace(0, 3, width, dtype=np.float32), (height, 1))
    return Result("a", Verdict.NG, 3.0, 1.0, anomaly_map=map_HW)


PARTS = [str(number) for number in range(20)]
WANTED = Wanted(false_rejects=0.05, confidence=0.95, review=0)
SCALE = set_thresholds(np.ones(20), np.linspace(0.05, 1, 20), PARTS, WANTED, mode="cross")
"""The map threshold is 1, and nine in ten parts stay at 0.9 or below."""


def test_heat_begins_where_nine_in_ten_good_parts_never_get_and_regions_end() -> None:
    assert (SCALE.map_threshold, SCALE.map_extent) == (1, 0.9)
    result = heated()
    assert result.anomaly_map is not None
    image = np.full((40, 60, 3), 128, np.uint8)
    hot = (overlay(image, result, SCALE) != image).any(axis=2)
    np.testing.assert_array_equal(hot, find_regions(result.anomaly_map, SCALE.map_threshold, SCALE.map_extent)[0])


def test_good_pixels_keep_their_colour_and_hot_ones_do_not() -> None:
    image = np.full((40, 60, 3), 128, np.uint8)
    drawn = overlay(image, heated(), SCALE)
    assert drawn.shape == image.shape
    np.testing.assert_array_equal(drawn[:, :10], 128)  # below half the threshold
    right = drawn[:, -1].astype(int)
    assert (right[:, 0] > right[:, 2] + 50).all()  # hot is yellow, in RGB order
    np.testing.assert_array_equal(image, 128)  # the image itself is not drawn on


def lab(colours: Bytes) -> Floats:
    """CIELAB of sRGB colours (N x 3)."""
    scaled = np.ascontiguousarray(colours[None].astype(np.float32) / 255)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2Lab)[0])


def test_the_hotter_the_lighter() -> None:
    lightness = lab(heat_colours())[:, 0]
    assert (np.diff(lightness) > -0.3).all()  # 8 bits a channel are no finer
    assert lightness[0] < 46
    assert lightness[-1] > 92


@pytest.mark.parametrize("grey", range(0, 256, 15))
def test_the_faintest_heat_is_seen_on_any_grey(grey: int) -> None:
    """A difference of 2.3 in CIELAB is just seen; heat is at least 40 from the grey below it, from its very edge on."""
    image = np.full((40, 60, 3), grey, np.uint8)
    drawn = overlay(image, heated(), SCALE)
    hot = (drawn != image).any(axis=2)
    assert np.linalg.norm(lab(drawn[hot]) - lab(image[hot]), axis=1).min() > 40


def test_where_all_of_an_image_deviates_heat_begins_where_regions_end() -> None:
    image, result = np.full((40, 60, 3), 128, np.uint8), heated()
    assert result.anomaly_map is not None
    for rise in (1.0, 50.0):
        hot = (overlay(image, result, SCALE, rise) != image).any(axis=2)
        found, _ = find_regions(result.anomaly_map, SCALE.map_threshold, SCALE.map_extent, rise)
        np.testing.assert_array_equal(hot, found)
        assert hot.any()


def test_the_scale_is_the_models_not_the_images() -> None:
    """A calm part looks calm, however its own values spread."""
    calm = replace(heated(), anomaly_map=np.tile(np.linspace(0, 0.4, 60, dtype=np.float32), (40, 1)))
    image = np.full((40, 60, 3), 128, np.uint8)
    np.testing.assert_array_equal(overlay(image, calm, SCALE), image)


@pytest.mark.parametrize("zero", [-3.0, 0.0, 40.0])
def test_where_the_zero_of_joined_looks_lies_does_not_count(zero: float) -> None:
    """Full heat was 1.5 times the threshold: around a zero it was at once, and far above it never."""
    image, result = np.full((40, 60, 3), 128, np.uint8), replace(heated(), is_distance=False)
    assert result.anomaly_map is not None
    moved = replace(result, anomaly_map=result.anomaly_map + np.float32(zero))
    scale = set_thresholds(np.ones(20), zero + np.linspace(0.05, 1, 20), PARTS, WANTED, mode="cross")
    drawn, plain = (overlay(image, *each).astype(int) for each in ((moved, scale), (result, SCALE)))
    assert abs(drawn - plain).max() <= 2  # the colours of neighbouring levels
    assert len(np.unique(plain[0], axis=0)) > 30, "from where heat begins to 2 deviations above the threshold"


def test_regions_are_outlined_where_they_are() -> None:
    image = np.full((40, 60, 3), 128, np.uint8)
    drawn = overlay(image, replace(NG, anomaly_map=None), SCALE)
    rows, columns = np.nonzero((drawn != 128).any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((4, 8, 3, 12), abs=2)


def test_what_was_not_looked_at_is_greyed_and_a_threshold_of_0_draws() -> None:
    result = heated()
    assert result.anomaly_map is not None
    result.anomaly_map[:, :5] = np.nan
    image = np.full((40, 60, 3), 200, np.uint8)
    drawn = overlay(image, result, set_thresholds(np.zeros(20), np.zeros(20), PARTS, WANTED, mode="cross"))
    np.testing.assert_array_equal(drawn[:, :5], 164)


def test_16_bit_images_are_shown_through_the_models_range() -> None:
    transform = Transform(height=32, width=32, resize="stretch", pixels="uint16", low=100, high=1100)
    shown = displayable(np.array([[100, 600, 1100, 60000]], np.uint16), transform)
    assert shown.shape == (1, 4, 3)
    np.testing.assert_array_equal(shown[0, :, 0], [0, 128, 255, 255])


def test_pixels_that_were_not_measured_are_black_without_a_warning() -> None:
    transform = Transform(height=32, width=32, resize="stretch", pixels="float32", low=0, high=10)
    shown = displayable(np.array([[np.nan, 5, 10]], np.float32), transform)
    np.testing.assert_array_equal(shown[0, :, 0], [0, 128, 255])


def test_folders_mirror_where_images_lie(detector: Detector, tmp_path: Path) -> None:
    """Two images of one name, and one name with two endings, keep apart."""
    one = save_image(tmp_path / "in" / "左" / "a.png", good_part(1))
    two = save_image(tmp_path / "in" / "right 2" / "a.png", good_part(2))
    three = save_image(tmp_path / "in" / "right 2" / "a.bmp", good_part(3))
    paths = [one, two, three]
    overlays = OverlayFolder(tmp_path / "out" / "overlays", paths)
    masks = MaskFolder(tmp_path / "out" / "masks", paths)
    for result in detector.inspect_many(paths):
        overlays.add(result)
        masks.add(result)
    for kind in ("overlays", "masks"):
        found = {path.relative_to(tmp_path / "out" / kind).as_posix() for path in tmp_path.glob(f"out/{kind}/**/*.png")}
        assert found == {"左/a.png.png", "right 2/a.png.png", "right 2/a.bmp.png"}
    with Image.open(tmp_path / "out" / "masks" / "左" / "a.png.png") as mask:
        assert (mask.mode, mask.size) == ("L", (144, 96))
    assert not list(tmp_path.rglob("*.tmp"))


def test_errors_get_no_picture(detector: Detector, tmp_path: Path) -> None:
    OverlayFolder(tmp_path / "o", [Path("cut.png")]).add(ERROR)
    MaskFolder(tmp_path / "m", [Path("cut.png")]).add(ERROR)
    assert not list(tmp_path.rglob("*.png"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"folder .*below cannot be made"):
        MaskFolder(tmp_path / "file" / "below", [Path("a.png")])


def test_images_on_several_drives_have_no_common_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_windows(_: Any) -> str:
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr("os.path.commonpath", on_windows)
    image = tmp_path / "a.png"
    MaskFolder(tmp_path / "m", [image]).add(replace(OK, path=str(image), mask=np.ones((2, 2), np.bool_)))
    (written,) = (tmp_path / "m").rglob("*.png")
    assert written.name == "a.png.png"


def test_the_page_stands_alone_worst_first(detector: Detector, folder: Path, tmp_path: Path) -> None:
    cut = tmp_path / "<cut> & paste.png"
    cut.write_bytes(b"no image")
    images = [folder / "line" / "good1.png", cut, folder / "line" / "stain.png"]
    write_page(tmp_path / "index.html", detector, images, title="A & B", numbers={"AUROC <x>": 0.987654, "cells": 3})
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<title>A &amp; B</title>" in page
    assert "<dt>AUROC &lt;x&gt;</dt><dd>98.8 %</dd>" in page
    assert "&lt;cut&gt; &amp; paste.png" in page
    assert [page.index(name) for name in ("paste.png", "stain.png", "good1.png")] == sorted(
        page.index(name) for name in ("paste.png", "stain.png", "good1.png")
    )
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == 4
    for picture in pictures:
        Image.open(io.BytesIO(base64.b64decode(picture))).load()
    assert not re.search(r'(?:src|href)="(?!data:)', page), "nothing is fetched from elsewhere"


@pytest.mark.parametrize("width", [60, 600])
def test_a_caption_lies_below_the_picture_in_the_colour_of_the_verdict(width: int) -> None:
    picture = np.full((40, width, 3), 128, np.uint8)
    for verdict, rises in ((Verdict.NG, 0), (Verdict.OK, 1)):
        sheet = captioned(picture, replace(NG, verdict=verdict, percentile=99.5))
        np.testing.assert_array_equal(sheet[:40, :width], picture)
        strip = sheet[40:].reshape(-1, 3).astype(int)
        ink = strip[strip.sum(axis=1) < 600]
        assert len(ink) > 50
        assert (ink.argmax(axis=1) == rises).mean() > 0.9
    assert captioned(picture, NG).shape[1] >= width


@pytest.mark.parametrize("width", [20, 60, 120, 250])
def test_words_below_a_narrow_picture_are_whole(width: int) -> None:
    """Of a part of 121 pixels, the threshold and the percentile were cut."""
    sheet = captioned(np.zeros((40, width, 3), np.uint8), NG)
    assert (sheet[40:, -3:] == 255).all(), "words reach the edge"
    assert (sheet[:40, :width] == 0).all()
    assert (sheet[:40, width:] == 255).all()
    assert width < 100 or sheet.shape[1] == width, "phrases go on in the next line"
