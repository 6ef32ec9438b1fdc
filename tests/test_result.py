"""What callers can do with a result: print, compare, keep as JSON, draw."""

import copy
import json
import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from parts import good_part, save_image, scratched_part
from PIL import Image

import blemish
from blemish.detector import Detector
from blemish.errors import DataError, OptionError
from blemish.reports.folders import OverlayFolder
from blemish.reports.table import CsvFile
from blemish.result import Box, Matches, Nearest, Region, Result, Verdict

NEAREST = Nearest("good/1.png", 5, 6, 7.5, at=(9, 8))
REGION = Region(Box(3, 4, 10, 5), 40, 7.5, [(3, 4), (12, 4), (12, 8), (3, 8)], [NEAREST])
ERROR = Result("cut.png", Verdict.ERROR, float("nan"), 2.0, error="cut.png is cut short")
SCRATCHED = scratched_part(102).grey


@pytest.fixture(scope="module")
def result(detector: Detector) -> Result:
    """Of a scratched part, given as an array."""
    return detector.inspect(SCRATCHED)


def test_it_prints_as_one_line(result: Result) -> None:
    shown = Result("a.png", Verdict.NG, 37.8, 21.7, regions=[REGION], anomaly_map=np.zeros((500, 500), np.float32))
    assert repr(shown) == "Result(NG, 37.8 = 1.74 x threshold, 1 region)"
    assert repr(replace(shown, verdict=Verdict.OK, regions=[])) == "Result(OK, 37.8 = 1.74 x threshold, no regions)"
    assert repr(replace(shown, threshold=0.0)) == "Result(NG, 37.8, 37.8 above the threshold 0, 1 region)"
    joined = replace(shown, score=-0.75, threshold=2.125, is_distance=False)
    assert repr(joined) == "Result(NG, -0.75, 2.88 below the threshold 2.12, 1 region)", "several looks"
    assert joined.to_dict()["times_threshold"] is None
    assert repr(ERROR) == "Result(ERROR, cut.png is cut short)"
    assert len(repr(result)) < 80


def test_its_pieces_print_as_one_line(result: Result) -> None:
    assert repr(REGION) == "Region(10 x 5 at 3,4, 40 pixels, score 7.5)"
    assert repr(NEAREST) == "Nearest(good/1.png at 5,6, 7.5 from the patch at 9,8)"
    assert result.matches is not None
    height, width = result.matches.grid
    assert repr(result.matches) == f"Matches({height * width} patches of a {height} x {width} grid)"


def test_equal_answers_are_equal_and_hash_alike(detector: Detector, result: Result) -> None:
    again = detector.inspect(SCRATCHED)
    assert again.timings != result.timings
    assert again == result
    assert hash(again) == hash(result)
    assert len({again, result}) == 1
    assert detector.inspect(good_part(1)) != result


def test_arrays_count_and_nan_equals_nan() -> None:
    map_HW = np.array([[1.0, np.nan]], np.float32)
    one = Result("a", Verdict.OK, 1.0, 2.0, anomaly_map=map_HW)
    assert one == replace(one, anomaly_map=map_HW.copy())
    assert one != replace(one, anomaly_map=np.zeros_like(map_HW))
    assert one != replace(one, anomaly_map=map_HW.astype(np.float64))
    assert one != replace(one, anomaly_map=None)
    assert replace(ERROR) == ERROR
    assert hash(replace(ERROR, score=float("nan"))) == hash(ERROR)
    assert one != "a"


def test_regions_and_matches_compare_and_hash() -> None:
    def matches(first: int) -> Matches:
        numbers_Q = np.array([first, 1])
        return Matches(numbers_Q, numbers_Q, numbers_Q, np.array([0.5, 1.5], np.float32), (1, 2))

    assert matches(0) == matches(0)
    assert hash(matches(0)) == hash(matches(0))
    assert matches(0) != matches(2)
    assert len({REGION, replace(REGION), replace(REGION, area=41)}) == 2


def test_it_is_json_and_arrays_come_when_asked_for(result: Result) -> None:
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["verdict"] == "NG"
    assert plain["score"] == result.score
    assert not {"anomaly_map", "mask", "matches", "picture"} & plain.keys()
    whole = json.loads(json.dumps(result.to_dict(arrays=True), allow_nan=False))
    np.testing.assert_array_equal(np.array(whole["anomaly_map"], np.float32), result.anomaly_map)
    np.testing.assert_array_equal(whole["mask"], result.mask)
    assert result.matches is not None
    assert whole["matches"]["at_Q"] == result.matches.at_Q.tolist()


def test_what_is_no_number_is_none() -> None:
    assert (ERROR.to_dict()["score"], ERROR.to_dict()["percentile"]) == (None, None)
    seen = Result("a", Verdict.OK, 1.0, 2.0, anomaly_map=np.array([[1.0, np.nan, np.inf]], np.float32))
    assert seen.to_dict(arrays=True)["anomaly_map"] == [[1.0, None, None]]
    assert ERROR.to_dict(arrays=True)["mask"] is None


def test_the_overlay_is_the_picture_that_the_command_writes(detector: Detector, folder: Path, tmp_path: Path) -> None:
    path = folder / "line" / "scratch.png"
    result = detector.inspect(path)
    OverlayFolder(tmp_path / "out", [path]).add(result)
    with Image.open(tmp_path / "out" / "scratch.png.png") as written:
        np.testing.assert_array_equal(np.asarray(written), result.overlay())
    height, width = SCRATCHED.shape
    assert result.overlay(caption=False).shape == (height, width, 3)
    np.testing.assert_array_equal(result.overlay()[:height], result.overlay(caption=False))
    np.testing.assert_array_equal(result.image(), np.repeat(SCRATCHED[:, :, None], 3, axis=2))


def test_the_overlay_shows_the_pixels_that_were_scored(detector: Detector, tmp_path: Path) -> None:
    """A camera writes the next image under the same name; the one that was scored is what is drawn."""
    path = save_image(tmp_path / "latest.png", SCRATCHED)
    result = detector.inspect(path)
    before = result.overlay()
    save_image(path, good_part(5))
    np.testing.assert_array_equal(result.overlay(), before)
    path.unlink()
    np.testing.assert_array_equal(result.overlay(), before)


def test_a_buffer_that_is_written_again_does_not_change_the_picture(detector: Detector) -> None:
    buffer = np.repeat(SCRATCHED[:, :, None], 3, axis=2)
    result = detector.inspect(buffer)
    before = result.overlay()
    buffer[:] = 0
    np.testing.assert_array_equal(result.overlay(), before)


def test_colours_in_opencv_s_order_are_drawn_as_they_are(detector: Detector) -> None:
    colour = np.stack([SCRATCHED, SCRATCHED // 2, SCRATCHED // 4], axis=2)
    told = detector.inspect(colour[:, :, ::-1], channels="BGR")
    np.testing.assert_array_equal(told.image(), colour)


def test_an_error_has_no_picture() -> None:
    with pytest.raises(DataError, match=r"There is no picture of cut\.png: cut\.png is cut short"):
        ERROR.overlay()
    with pytest.raises(DataError, match="not made by a detector"):
        Result("a", Verdict.OK, 1.0, 2.0).image()


def test_it_can_be_pickled_and_copied_with_its_picture(result: Result) -> None:
    for twin in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert twin == result
        np.testing.assert_array_equal(twin.overlay(), result.overlay())


def test_a_notebook_sees_picture_score_regions_and_the_nearest_good_part(detector: Detector, tmp_path: Path) -> None:
    result = detector.inspect(save_image(tmp_path / "<b> & c.png", SCRATCHED))
    shown = result._repr_html_()
    assert 'src="data:image/png;base64,' in shown
    assert ">NG</b>" in shown
    assert result.score_in_words in shown
    assert "&lt;b&gt; &amp; c.png" in shown
    assert shown.count("<li>") == len(result.regions)
    assert result.nearest is not None
    assert f"nearest good part is {result.nearest.path}" in shown
    assert ERROR._repr_html_() == "<pre>Result(ERROR, cut.png is cut short)</pre>"


def test_plotting_without_matplotlib_says_what_to_install(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OptionError, match=r"pip install 'blemish\[plot\]'$"):
        result.plot()


def test_plotting(result: Result) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="the extra [plot] is not installed")
    matplotlib.use("agg")
    axes = result.plot()
    np.testing.assert_array_equal(axes.images[0].get_array(), result.overlay(caption=False))
    assert axes.get_title() == f"NG  {result.score_in_words}"
    assert result.plot(axes) is axes
    matplotlib.pyplot.close(axes.figure)


def test_a_table_has_the_columns_of_the_csv(result: Result, tmp_path: Path) -> None:
    rows = blemish.table([result, ERROR])
    with CsvFile(tmp_path / "rows.csv") as file:
        file.add(result)
    header, line = (tmp_path / "rows.csv").read_text(encoding="utf-8-sig").splitlines()
    assert list(rows[0]) == header.split(",")
    for value, cell in zip(rows[0].values(), line.split(","), strict=True):
        same = float(cell) == pytest.approx(value, rel=1e-6) if isinstance(value, float) else cell == str(value or "")
        assert same or (value, cell) == (0, "0"), "the file rounds numbers to seven digits"
    assert rows[1]["score"] is None
    assert (rows[1]["regions"], rows[1]["nearest"]) == (0, None)


def test_pandas_takes_a_table_whole(result: Result) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(blemish.table([result, ERROR]))
    assert frame["verdict"].tolist() == ["NG", "ERROR"]
    assert frame["score"].isna().tolist() == [False, True]
    assert frame["score"].dtype == float


def test_the_command_draws_what_it_scored(
    detector: Detector, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture used to be read from the disk again, and showed another part where the file had changed."""
    path = tmp_path / "latest.png"
    shutil.copy(folder / "line" / "scratch.png", path)
    overlays = OverlayFolder(tmp_path / "out", [path])
    result = detector.inspect(path)
    shutil.copy(folder / "line" / "good1.png", path)
    overlays.add(result)
    with Image.open(tmp_path / "out" / "latest.png.png") as written:
        np.testing.assert_array_equal(np.asarray(written), result.overlay())
