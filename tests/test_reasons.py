"""Why: which good patches stand beside what deviates, in pixels, and the pictures of it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import HEIGHT, TINY, WIDTH, good_part, save_image, scratched_part, stained_part
from PIL import Image
from shell import RunCli

from blemish.arrays import Array, Bytes
from blemish.detector import Detector
from blemish.errors import OptionError
from blemish.fitting import fit
from blemish.images.training_image import TrainingImage
from blemish.images.transform import Transform, Viewer
from blemish.reports.reconstruction import (
    CROP_SIDE,
    GAP,
    WORDS_HEIGHT,
    GoodPictures,
    as_remembered,
    pairs,
    reasons_sheet,
)
from blemish.result import Box, Matches, Region
from blemish.scoring.heatmap import SHOWN, Reasons

TRANSFORM = Transform(height=40, width=40, resize="stretch")
IMAGES = [TrainingImage(path=f"good/{n}.png", group=str(n), height=80, width=120) for n in range(5)]


def grid_of(distances: list[list[float]], images: list[list[int]]) -> Matches:
    """A 4 x 4 grid whose nearest good patches lie at the place opposite, in these images."""
    return Matches(
        np.arange(16), np.ravel(images), np.arange(16)[::-1].copy(), np.ravel(distances).astype(np.float32), (4, 4)
    )


def reasons(matches: Matches) -> Reasons:
    viewer = Viewer(TRANSFORM)
    return Reasons(matches, viewer.of_size(200, 200, None, ""), viewer, IMAGES)


def rectangle(x: int, y: int, width: int, height: int) -> Region:
    right, bottom = x + width - 1, y + height - 1
    return Region(Box(x, y, width, height), width * height, 1.0, [(x, y), (x, bottom), (right, bottom), (right, y)])


RISING = [[float(4 * row + column) for column in range(4)] for row in range(4)]
CYCLE = [[column for column in range(4)] for _ in range(4)]


def test_the_nearest_of_all_belongs_to_the_farthest_patch() -> None:
    """The last place of the grid is farthest: its centre is at 7/8 of the image, its good patch's at 1/8 of its own."""
    nearest = reasons(grid_of(RISING, CYCLE)).nearest()
    assert (nearest.path, nearest.distance) == ("good/3.png", 15)
    assert nearest.at == (175, 175)
    assert (nearest.x, nearest.y) == (15, 10)


def test_a_region_is_explained_by_its_own_patches_the_farthest_first() -> None:
    """Cells are 50 pixels wide: the region holds the four centres at 75 and 125, cells 5, 6, 9 and 10."""
    region = reasons(grid_of(RISING, CYCLE)).explain(rectangle(60, 60, 80, 80))
    assert [nearest.distance for nearest in region.nearest] == [10, 9, 6]
    assert [nearest.at for nearest in region.nearest] == [(125, 125), (75, 125), (125, 75)]
    assert len(region.nearest) == SHOWN


def test_one_good_patch_is_named_once() -> None:
    matches = replace(grid_of(RISING, CYCLE), image_Q=np.full(16, 4), cell_Q=np.full(16, 7))
    (nearest,) = reasons(matches).explain(rectangle(0, 0, 200, 200)).nearest
    assert (nearest.path, nearest.distance) == ("good/4.png", 15)


def test_an_outline_counts_not_its_box() -> None:
    """A triangle below the diagonal holds the centre of cell 4 (row 1, column 0) but not that of cell 1."""
    triangle = replace(rectangle(0, 0, 100, 100), outline=[(0, 0), (0, 99), (99, 99)])
    assert {nearest.at for nearest in reasons(grid_of(RISING, CYCLE)).explain(triangle).nearest} >= {(25, 75)}
    assert (75, 25) not in {nearest.at for nearest in reasons(grid_of(RISING, CYCLE)).explain(triangle).nearest}


def test_a_region_between_the_centres_is_spoken_for_by_the_closest() -> None:
    (nearest,) = reasons(grid_of(RISING, CYCLE)).explain(rectangle(85, 60, 4, 4)).nearest
    assert nearest.at == (75, 75)


def test_every_region_of_an_inspection_has_reasons(detector: Detector) -> None:
    result = detector.inspect(scratched_part(700).grey)
    assert result.regions
    for region in result.regions:
        distances = [nearest.distance for nearest in region.nearest]
        assert distances == sorted(distances, reverse=True)
        for nearest in region.nearest:
            assert nearest.path in {image.path for image in detector.manifest.images}
            assert 0 <= nearest.x < WIDTH
            assert 0 <= nearest.y < HEIGHT
    assert result.nearest is not None
    assert result.nearest.distance == max(nearest.distance for region in result.regions for nearest in region.nearest)


def remembered(detector: Detector, image: Bytes) -> tuple[Bytes, GoodPictures]:
    pictures = GoodPictures(detector.manifest)
    colour = np.repeat(image[:, :, None], 3, axis=2)
    matches = detector.inspect(image).matches
    assert matches is not None
    return as_remembered(colour, matches, pictures), pictures


def test_an_image_of_the_memory_is_remembered_as_it_is(folder: Path) -> None:
    """With all patches kept, each one of a training image is its own nearest: the picture is the image again."""
    paths = sorted((folder / "fit").iterdir())[:3]
    whole = fit(paths, coreset=1.0, folds=2, size=96)
    image: Array = np.asarray(Image.open(paths[1]))
    picture, pictures = remembered(whole, image)
    assert pictures.missing == {}
    transform = whole.model.manifest.transform
    blurred = np.asarray(
        Image.fromarray(image)
        .resize((transform.width, transform.height), Image.Resampling.BILINEAR)
        .resize((WIDTH, HEIGHT))
    )
    difference = np.abs(picture[:, :, 0].astype(int) - blurred)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert np.median(difference) <= 3


@pytest.mark.parametrize("draw", [scratched_part, stained_part])
def test_what_the_memory_never_saw_is_not_in_its_picture(detector: Detector, draw: object) -> None:
    """A scratch is 235 bright and a stain 20 dark; the plate is neither."""
    part = draw(701)  # type: ignore[operator]
    box = part.defect
    there = np.s_[box.y : box.y + box.height, box.x : box.x + box.width]
    picture, _ = remembered(detector, part.grey)
    plate = np.median(part.grey)
    assert np.abs(part.grey[there].astype(float) - plate).max() > 80
    assert np.abs(picture[there].astype(float) - plate).max() < 75


def test_missing_training_images_are_grey_and_named(tmp_path: Path) -> None:
    paths = [save_image(tmp_path / f"{number}.png", good_part(number)) for number in range(3)]
    fitted = fit(paths, **TINY)
    paths[0].unlink()
    save_image(paths[1], good_part(1, height=50))
    paths[2].write_bytes(b"no image any more")
    picture, pictures = remembered(fitted, scratched_part(702).grey)
    assert (picture == 128).all()
    assert "does not exist" in pictures.missing[str(paths[0])]
    assert "another size than at fit" in pictures.missing[str(paths[1])]
    assert str(paths[2]) in pictures.missing
    result = fitted.inspect(scratched_part(702).grey)
    colour = np.repeat(scratched_part(702).grey[:, :, None], 3, axis=2)
    assert all(pair.good_SS3 is None for pair in pairs(colour, result.regions, pictures))


@pytest.mark.parametrize(
    "options", [{}, {"tiles": 272, "size": 320}, {"align": "shift"}, {"effort": "standard"}], ids=str
)
def test_a_training_image_that_was_replaced_is_not_shown_as_a_good_one(options: dict[str, Any], tmp_path: Path) -> None:
    """A defective part of the same size under a training image's name was drawn beside the words "good patch"."""
    paths = [save_image(tmp_path / f"{number}.png", good_part(number)) for number in range(3)]
    fitted = fit(paths, **TINY | options)
    pictures = GoodPictures(fitted.manifest)
    assert [pictures.whole(str(path)) is not None for path in paths] == [True] * 3
    save_image(paths[1], scratched_part(702).grey)
    pictures = GoodPictures(fitted.manifest)
    assert [pictures.whole(str(path)) is not None for path in paths] == [True, False, True]
    assert pictures.missing == {str(paths[1]): f"{paths[1]} shows something else than at fit."}


def test_16_bit_images_are_remembered_in_8_bits(tmp_path: Path) -> None:
    images = [good_part(number).astype(np.uint16) * 200 for number in range(3)]
    paths = []
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        paths.append(tmp_path / f"{number}.png")
    pictures = GoodPictures(fit(paths, **TINY).model.manifest)
    sized = pictures.sized(0)
    assert sized is not None
    assert sized.dtype == np.uint8
    assert 60 < np.median(sized) < 200


def test_pairs_show_both_patches_in_their_middle(detector: Detector, folder: Path) -> None:
    colour = np.repeat(scratched_part(703).grey[:, :, None], 3, axis=2)
    regions = detector.inspect(colour).regions
    found = list(pairs(colour, regions, GoodPictures(detector.manifest)))
    assert [pair.nearest for pair in found] == [region.nearest[0] for region in regions]
    assert found[0].good_SS3 is not None
    assert found[0].image_SS3.shape == found[0].good_SS3.shape
    assert found[0].image_SS3.max() > 200, "the scratch is on the left"
    assert np.median(found[0].good_SS3) < 150, "and on the right it is not"


def test_an_area_that_is_not_looked_at_is_grey(folder: Path) -> None:
    ignoring = fit(folder / "fit", ignore=["0,0,72x96"], **TINY)
    picture, _ = remembered(ignoring, good_part(704))
    assert (picture[:, :60] == 128).all()
    assert (picture[:, 100:] != 128).mean() > 0.8


def test_other_methods_have_no_reasons(detector: Detector) -> None:
    result = replace(detector.inspect(good_part(1)), matches=None)
    with pytest.raises(OptionError, match="only patchcore keeps"):
        reasons_sheet(np.zeros((9, 9, 3), np.uint8), result, GoodPictures(detector.manifest))


def test_inspect_draws_reasons(model: Path, folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    outcome = run_cli("inspect", model, folder / "line", "--reasons", tmp_path / "理由")
    assert outcome.code == 1
    assert sorted(os.listdir(tmp_path / "理由")) == [
        f"{name}.png.png" for name in ("good1", "good2", "scratch", "stain")
    ]
    with Image.open(tmp_path / "理由" / "scratch.png.png") as sheet:
        assert sheet.width > 2 * WIDTH
        assert sheet.height > HEIGHT + 160


def test_a_sheet_of_reasons_says_what_it_shows(detector: Detector, folder: Path) -> None:
    """Words stand right of each pair and below the pictures above; without them the sheet is a riddle."""
    result = detector.inspect(folder / "line" / "scratch.png")
    sheet = reasons_sheet(result.image(), result, GoodPictures(detector.manifest))
    height, width = result.image().shape[:2]
    below = sheet[height : height + WORDS_HEIGHT, : 2 * width]
    beside = sheet[height + WORDS_HEIGHT + GAP :][:CROP_SIDE, 2 * (CROP_SIDE + GAP) :]
    for words in (below, beside):
        assert ((words < 120).all(axis=2)).any(), "ink"
        assert ((words == 255).all(axis=2)).mean() > 0.5, "on paper"


def test_inspect_says_where_reasons_are_missing(tmp_path: Path, folder: Path, run_cli: RunCli) -> None:
    paths = [save_image(tmp_path / "fit" / f"{number}.png", good_part(number)) for number in range(4)]
    fit(paths, **TINY).save(tmp_path / "part.blemish")
    for path in paths:
        path.unlink()
    outcome = run_cli("inspect", tmp_path / "part.blemish", folder / "line", "--reasons", tmp_path / "reasons")
    assert outcome.code in (0, 1)
    assert "4 training image(s) are missing and drawn grey: " in outcome.stderr
