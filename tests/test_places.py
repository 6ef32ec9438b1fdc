"""Where to look: areas whose pixels can be counted, and that nothing beyond them has any influence."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from parts import HEIGHT, TINY, WIDTH, good_part, save_image, scratched_part, stained_part
from PIL import Image
from pydantic import ValidationError
from shell import RunCli

from blemish.arrays import Array, Bools
from blemish.detector import Detector, load
from blemish.errors import ImageError
from blemish.fitting import fit
from blemish.images.inline import picture_to_text
from blemish.images.places import Places, hide, same_aspect
from blemish.images.transform import Resize, Transform, Viewer
from blemish.result import Verdict

CORNER = "96,0,48x40"
"""Holds the scratch."""


def drawn(include: list[str], ignore: list[str], height: int, width: int) -> Bools:
    places = Places.drawn(include, ignore, height, width)
    assert places is not None
    return places.mask_HW


def picture(mask: Bools) -> list[str]:
    return ["".join("#" if inside else "." for inside in row) for row in mask]


def test_a_rectangle_is_x_y_width_height() -> None:
    mask = drawn(["2,1,3x2"], [], 5, 8)
    expected = np.zeros((5, 8), bool)
    expected[1:3, 2:5] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_triangle_whose_pixels_can_be_counted() -> None:
    mask = drawn(["0,0 6,0 0,6"], [], 6, 7)
    assert picture(mask) == ["#####..", "####...", "###....", "##.....", "#......", "......."]


def test_ignored_areas_are_cut_out_of_included_ones() -> None:
    mask = drawn(["0,0,4x4", "6,0,2x4"], ["1,1,2x2"], 4, 8)
    assert picture(mask) == ["####..##", "#..#..##", "#..#..##", "####..##"]


def test_a_polygon_agrees_with_opencv_but_for_its_outline() -> None:
    random = np.random.default_rng(0)
    for _ in range(10):
        points = random.integers(0, 200, (7, 2))
        mask = drawn([" ".join(f"{x},{y}" for x, y in points)], [], 200, 200)
        filled, outline = np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.uint8)
        cv2.fillPoly(filled, [points.astype(np.int32)], 1)
        cv2.polylines(outline, [points.astype(np.int32)], True, 1, 2)
        np.testing.assert_array_equal(mask[outline == 0], filled[outline == 0] > 0)


def test_no_area_is_no_mask() -> None:
    assert Places.drawn([], [], 5, 5) is None


def test_a_labelme_file_and_a_mask_image_mean_the_same(tmp_path: Path) -> None:
    shapes: list[dict[str, Any]] = [
        {"label": "hole", "shape_type": "rectangle", "points": [[5, 4], [1, 2]]},
        {"label": "edge", "points": [[6, 0], [9, 0], [9, 8], [6, 8]]},
    ]
    drawing = tmp_path / "areas.json"
    drawing.write_text(json.dumps({"version": "5.5", "shapes": shapes, "imageHeight": 8, "imageWidth": 9}))
    picture = np.zeros((8, 9), np.uint8)
    picture[2:4, 1:5] = 255
    picture[:, 6:] = 255
    save_image(tmp_path / "mask.png", picture)
    np.testing.assert_array_equal(drawn([], [str(drawing)], 8, 9), picture == 0)
    np.testing.assert_array_equal(drawn([], [str(tmp_path / "mask.png")], 8, 9), picture == 0)


@pytest.mark.parametrize(
    ("area", "sentence"),
    [
        ("140,10,20x10", "reaches (160, 10), beyond the first good image, which is 144 x 96 pixels"),
        ("-1,0 5,0 5,5", "reaches (-1, 0), beyond"),
        ("1,1 5,5", "has 2 point(s); a polygon needs 3 or more"),
        ("roi.png", "is neither a rectangle (x,y,WIDTHxHEIGHT), nor a polygon"),
        ("10,20,30", "is neither a rectangle"),
        ("small.png", "small.png is 72 x 48 pixels but the first good image is 144 x 96"),
        ("small.json", "small.json is 72 x 48 pixels but the first good image is 144 x 96"),
        ("broken.json", "broken.json is no labelme file of polygons and rectangles"),
        ("circle.json", "circle.json is no labelme file of polygons and rectangles (shapes.0.shape_type"),
        ("empty.json", "empty.json is no labelme file of polygons and rectangles (shapes"),
        ("0,0,144x96", "leave no pixel to look at"),
        ("white.png", "leave no pixel to look at"),
    ],
)
def test_areas_that_cannot_be_used_are_one_sentence(
    area: str, sentence: str, tmp_path: Path, folder: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_image(Path("small.png"), np.full((48, 72), 255, np.uint8))
    save_image(Path("white.png"), np.full((HEIGHT, WIDTH), 255, np.uint8))
    shape = {"points": [[1, 1], [5, 5]], "shape_type": "rectangle"}
    Path("small.json").write_text(json.dumps({"shapes": [shape], "imageHeight": 48, "imageWidth": 72}))
    Path("broken.json").write_text("{")
    Path("circle.json").write_text(json.dumps({"shapes": [shape | {"shape_type": "circle"}]}))
    Path("empty.json").write_text(json.dumps({"shapes": []}))
    said = run_cli("fit", folder / "fit", "-o", "a.blemish", "--ignore", area).sentence
    assert sentence in said
    assert not Path("a.blemish").exists()


def test_areas_smaller_than_a_patch_are_an_error(folder: Path) -> None:
    with pytest.raises(ImageError, match="hold no patch of the network"):
        fit(folder / "fit", include="70,40,2x2", **TINY)


@pytest.fixture(scope="module")
def looking_away(folder: Path) -> Detector:
    """Fitted like the other detector, but for the corner of the scratch."""
    return fit(folder / "fit", threads=2, ignore=CORNER, **TINY)


def test_an_ignored_defect_is_ok_and_the_same_elsewhere_is_not(looking_away: Detector, detector: Detector) -> None:
    scratched = scratched_part(102).grey
    assert detector.inspect(scratched).verdict is Verdict.NG
    assert looking_away.inspect(scratched).verdict is Verdict.OK
    moved = np.roll(scratched, (-30, 40), axis=(1, 0))
    assert looking_away.inspect(moved).verdict is Verdict.NG
    assert looking_away.inspect(stained_part(103).grey).verdict is Verdict.NG


def test_what_is_ignored_changes_nothing(looking_away: Detector) -> None:
    """Not even through the network's view of its neighbours."""
    image = good_part(110)
    other = image.copy()
    other[:40, 96:] = np.random.default_rng(0).integers(0, 256, (40, 48))
    one, two = looking_away.inspect(image), looking_away.inspect(other)
    assert one.score == two.score
    np.testing.assert_array_equal(one.anomaly_map, two.anomaly_map)


def test_the_map_is_nan_where_nothing_was_looked_at(looking_away: Detector) -> None:
    result = looking_away.inspect(scratched_part(102).grey)
    assert result.anomaly_map is not None
    assert result.mask is not None
    assert np.isnan(result.anomaly_map[:40, 96:]).all()
    assert np.isfinite(result.anomaly_map).sum() == HEIGHT * WIDTH - 40 * 48
    assert not result.mask[:40, 96:].any()


def test_ignored_patches_never_enter_the_bank(looking_away: Detector, folder: Path) -> None:
    bank, grid = looking_away.model.method.tensors(), looking_away.model.manifest.grid
    rows, columns = np.divmod(bank["bank.cell"], grid[1])
    y, x = (rows + 0.5) * HEIGHT / grid[0], (columns + 0.5) * WIDTH / grid[1]
    assert not ((y < 40) & (x >= 96)).any()


def test_areas_are_kept_in_the_model_file(looking_away: Detector, tmp_path: Path) -> None:
    looking_away.save(tmp_path / "a.blemish")
    again = load(tmp_path / "a.blemish", threads=2)
    image = scratched_part(102).grey
    np.testing.assert_array_equal(again.inspect(image).anomaly_map, looking_away.inspect(image).anomaly_map)
    assert again.model.manifest.settings.ignore == (CORNER,)


@pytest.mark.parametrize("mask", ["", "no base64!", "aGVsbG8=", picture_to_text(np.zeros((4, 5), np.bool_))])
def test_a_damaged_mask_in_a_model_is_refused(mask: str) -> None:
    with pytest.raises(ValidationError, match="not a"):
        Places.model_validate({"mask": mask})


def test_areas_scale_with_the_image_and_refuse_another_aspect(looking_away: Detector) -> None:
    large = np.asarray(Image.fromarray(scratched_part(102).grey).resize((2 * WIDTH, 2 * HEIGHT)))
    result = looking_away.inspect(large)
    assert result.verdict is Verdict.OK
    assert result.anomaly_map is not None
    assert np.isnan(result.anomaly_map[:80, 192:]).all()
    assert np.isnan(result.anomaly_map).sum() == 80 * 96
    with pytest.raises(ImageError, match="144 x 120 pixels but the areas to look at were drawn on 144 x 96"):
        looking_away.inspect(np.zeros((120, 144), np.uint8))


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize(("height", "width"), [(97, 143), (200, 61)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_cell_counts_when_its_centre_does(resize: Resize, height: int, width: int, dtype: type) -> None:
    """On odd sizes, padded, stretched and cropped: the cell's centre is looked up in the image's own mask."""
    random = np.random.default_rng(2)
    mask = cv2.resize(random.integers(0, 2, (9, 7)).astype(np.uint8), (width, height)) > 0
    places = Places.drawn([f"{x},{y},1x1" for y, x in np.argwhere(mask)], [], height, width)
    transform = Transform(height=96, width=64, resize=resize, pixels="uint8" if dtype is np.uint8 else "uint16")
    image: Array = random.integers(0, 256, (height, width)).astype(dtype)
    _, view = Viewer(transform, places)(image, "part")
    cells = view.cells((12, 8), 96, 64)
    content, seen = view.placement.content, view.placement.seen
    for row in range(12):
        for column in range(8):
            y, x = row * 8 + 4, column * 8 + 4
            on_image = content.y <= y < content.y + content.height and content.x <= x < content.x + content.width
            image_y = int(seen.y + (y - content.y) * seen.height / content.height) if on_image else 0
            image_x = int(seen.x + (x - content.x) * seen.width / content.width) if on_image else 0
            assert cells[row, column] == (on_image and mask[image_y, image_x])


def test_hidden_pixels_take_the_mean_of_the_others() -> None:
    image = np.array([[10, 20], [200, 33]], np.uint8)
    counts = np.array([[True, True], [False, True]])
    np.testing.assert_array_equal(hide(image, counts), [[10, 20], [21, 33]])
    np.testing.assert_array_equal(image, [[10, 20], [200, 33]])
    colour = np.dstack([image, image, image // 2]).astype(np.uint16)
    np.testing.assert_array_equal(hide(colour, counts)[1, 0], [21, 21, 10])


@pytest.mark.parametrize(
    ("size", "same"), [((100, 200), True), ((50, 100), True), ((51, 100), True), ((300, 597), True), ((90, 200), False)]
)
def test_aspects_agree_to_a_hundredth_or_a_pixel(size: tuple[int, int], same: bool) -> None:
    assert same_aspect(*size, 100, 200) is same


def test_overlays_grey_what_is_ignored(looking_away: Detector, tmp_path: Path, folder: Path, run_cli: RunCli) -> None:
    looking_away.save(tmp_path / "a.blemish")
    assert run_cli("inspect", tmp_path / "a.blemish", folder / "line" / "good1.png", "--overlays", tmp_path).code in (
        0,
        1,
    )
    picture = np.asarray(Image.open(tmp_path / "good1.png.png")).astype(int)
    image = np.asarray(Image.open(folder / "line" / "good1.png")).astype(int)
    np.testing.assert_allclose(picture[:40, 96:].mean(axis=2), (image[:40, 96:] + 128) / 2, atol=1.5)
