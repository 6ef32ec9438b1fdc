"""Parts that move: known shifts and turns are found again, and boxes lie on the part where it is."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from parts import save_image
from shell import RunCli

from blemish.arrays import Array, Bytes, Doubles
from blemish.calibrating import calibrate
from blemish.detector import Detector, load
from blemish.errors import ImageError
from blemish.evaluation.points import part_scores
from blemish.fitting import fit
from blemish.images.align import Aligner, Motion
from blemish.result import Verdict

HEIGHT, WIDTH = 180, 240


def bracket(seed: int, defect: bool = False) -> Bytes:
    """An angle with three holes, on a dark table, in camera noise; a bright scratch where it is defective."""
    random = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH), 60, np.uint8)
    corners = [[70, 45], [175, 45], [175, 75], [110, 75], [110, 140], [70, 140]]
    cv2.fillPoly(image, [np.array(corners)], 170, cv2.LINE_AA)
    for centre, radius, grey in (((90, 65), 9, 40), ((160, 60), 5, 40), ((90, 122), 6, 220)):
        cv2.circle(image, centre, radius, grey, -1, cv2.LINE_AA)
    if defect:
        cv2.line(image, (122, 53), (134, 67), 250, 3, cv2.LINE_AA)
    noise = cv2.GaussianBlur(random.normal(0, 12, (HEIGHT, WIDTH)), (0, 0), 1)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


def motion(degrees: float, right: float, down: float, height: int = HEIGHT, width: int = WIDTH) -> Doubles:
    """From where a pixel was to where it is: turned about the middle, then moved."""
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.asarray(matrix + np.array([[0, 0, right], [0, 0, down]]))


def moved(image: Array, matrix: Doubles) -> Bytes:
    size = image.shape[1], image.shape[0]
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def errors(found: Doubles, true: Doubles, height: int, width: int) -> tuple[float, float]:
    """Pixels at the middle of the image, and degrees."""
    middle = ((width - 1) / 2, (height - 1) / 2, 1)
    turn = np.degrees(np.arctan2(found[1, 0], found[0, 0]) - np.arctan2(true[1, 0], true[0, 0]))
    return float(np.linalg.norm(found @ middle - true @ middle)), float(abs((turn + 180) % 360 - 180))


@pytest.mark.parametrize(
    ("degrees", "right", "down"), [(0, 0, 0), (0, 13.4, -7.8), (0, -30, 21), (0, 0.5, 0.25), (0, 40, -35)]
)
@pytest.mark.parametrize("kind", ["shift", "rigid"])
def test_a_known_shift_is_found(kind: Motion, degrees: float, right: float, down: float) -> None:
    true = motion(degrees, right, down)
    found = Aligner.to(bracket(0), kind)(moved(bracket(1), true), "part")
    pixels, turn = errors(found, true, HEIGHT, WIDTH)
    assert pixels < 0.5
    assert turn < 0.2


@pytest.mark.parametrize("degrees", [-3, 7.3, 31, -58, 92.5, 178, -140])
def test_a_known_turn_is_found(degrees: float) -> None:
    true = motion(degrees, 11.5, -6.25)
    found = Aligner.to(bracket(0), "rigid")(moved(bracket(1), true), "part")
    pixels, turn = errors(found, true, HEIGHT, WIDTH)
    assert pixels < 0.5
    assert turn < 0.2


def plate(holes: list[tuple[int, int]]) -> Bytes:
    """A sheet with round holes."""
    image = np.full((HEIGHT, WIDTH), 60, np.uint8)
    cv2.rectangle(image, (50, 50), (189, 129), 170, -1)
    for hole in holes:
        cv2.circle(image, hole, 8, 40, -1, cv2.LINE_AA)
    return image


def noisy(image: Bytes, seed: int) -> Bytes:
    noise = np.random.default_rng(seed).normal(0, 9, image.shape)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


@pytest.mark.parametrize("degrees", [-20, 0, 4, 35])
def test_a_part_that_looks_the_same_upside_down_is_not_turned_over(degrees: float) -> None:
    """Half a turn would fit as well, by chance even better, and put areas and boxes on the other side."""
    true, symmetric = motion(degrees, 5, -4), plate([(70, 90), (169, 89)])
    for seed in range(4):
        aligner = Aligner.to(noisy(symmetric, seed), "rigid")
        pixels, turn = errors(aligner(moved(noisy(symmetric, 10 + seed), true), "plate"), true, HEIGHT, WIDTH)
        assert pixels < 0.5
        assert turn < 0.2


@pytest.mark.parametrize("degrees", [170, 180, -150])
def test_a_single_hole_tells_which_side_is_up(degrees: float) -> None:
    true, with_hole = motion(degrees, 5, -4), plate([(70, 90), (169, 89), (80, 65)])
    found = Aligner.to(noisy(with_hole, 0), "rigid")(moved(noisy(with_hole, 1), true), "plate")
    pixels, turn = errors(found, true, HEIGHT, WIDTH)
    assert pixels < 0.5
    assert turn < 0.2


def test_brightness_contrast_and_resolution_do_not_matter() -> None:
    aligner, true = Aligner.to(bracket(0), "rigid"), motion(5, 8, 3)
    image = moved(bracket(2), true)
    dim = np.clip(0.6 * image + 20, 0, 255).astype(np.uint8)
    assert errors(aligner(dim, "part"), true, HEIGHT, WIDTH)[0] < 0.5
    wide = cv2.resize(image, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.uint16) * 100
    found = aligner(np.dstack([wide] * 3), "part")
    twice = np.array([[2, 0, 0.5], [0, 2, 0.5]])  # where the larger image shows a pixel of the smaller one
    at = np.array([100, 60, 1])
    np.testing.assert_allclose(found @ at, twice[:, :2] @ (true @ at) + twice[:, 2], atol=1)


@pytest.mark.parametrize("image", [np.zeros((HEIGHT, WIDTH), np.uint8), "noise"])
def test_a_part_that_is_not_there_is_an_error(image: Array | str) -> None:
    if isinstance(image, str):
        image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
    for kind in ("shift", "rigid"):
        with pytest.raises(ImageError, match=r"part cannot be aligned: it correlates by .* with the first good image"):
            Aligner.to(bracket(0), kind)(image, "part")


def test_another_aspect_is_an_error_naming_both() -> None:
    with pytest.raises(ImageError, match="240 x 240 pixels but the image that parts are aligned to is 240 x 180"):
        Aligner.to(bracket(0), "shift")(np.zeros((240, 240), np.uint8), "part")


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Fitted on brackets that lie anyhow; the model went through a file."""
    random, root = np.random.default_rng(5), tmp_path_factory.mktemp("brackets")
    for seed in range(8):
        lying = motion(random.uniform(-20, 20), *random.uniform(-12, 12, 2)) if seed else motion(0, 0, 0)
        save_image(root / f"{seed}.png", moved(bracket(seed), lying))
    detector = fit(root, align="rigid", ignore="0,0,240x30", size=160, coreset=300, folds=4, threads=2)
    detector.save(root / "a.blemish")
    return load(root / "a.blemish", threads=2)


def test_boxes_come_back_in_pixels_of_the_image_as_it_came(aligned: Detector) -> None:
    lying = motion(25, 10, -8)
    good, bad = moved(bracket(20), lying), moved(bracket(20, defect=True), lying)
    assert aligned.inspect(good).verdict is Verdict.OK
    result = aligned.inspect(bad)
    assert result.verdict is Verdict.NG
    x, y = lying @ (128, 60, 1)
    box = result.regions[0].box
    assert abs(box.x + box.width / 2 - x) < 6
    assert abs(box.y + box.height / 2 - y) < 6
    assert result.anomaly_map is not None
    assert result.anomaly_map.shape == bad.shape
    peak = np.unravel_index(np.nanargmax(result.anomaly_map), bad.shape)
    assert np.hypot(peak[0] - y, peak[1] - x) < 6


def test_areas_move_with_the_part_and_what_is_off_the_image_is_not_looked_at(aligned: Detector) -> None:
    result = aligned.inspect(moved(bracket(21), motion(0, 20, 10)))
    assert result.anomaly_map is not None
    looked = np.isfinite(result.anomaly_map)
    assert looked[60:120, 60:200].all()
    assert not looked[:38].any()  # thirty rows are ignored, and lie ten lower
    assert not looked[:, :18].any()  # the reference ends there


def test_the_nearest_good_patch_lies_where_it_was_seen(aligned: Detector) -> None:
    """A training image inspected again finds its own patch, at the place of the defect in its own pixels."""
    image = aligned.model.manifest.images[3]
    assert image.motion is not None
    with_defect = aligned.inspect(image.path)
    assert with_defect.nearest is not None
    cells = aligned.model.method.tensors()
    assert 0 <= with_defect.nearest.x < WIDTH
    row = int(np.flatnonzero(cells["bank.image"] == 3)[0])
    grid, transform = aligned.model.manifest.grid, aligned.model.manifest.transform
    y, x = divmod(int(cells["bank.cell"][row]), grid[1])
    centre = np.array([(x + 0.5) / grid[1] * transform.width, (y + 0.5) / grid[0] * transform.height])
    view = aligned.model.manifest.viewer.of_size(HEIGHT, WIDTH, image.motion, image.path)
    there = view.placement.to_image_points(centre[None])[0]
    expected = np.reshape(image.motion, (2, 3)) @ (*there, 1)
    inside = np.clip(expected, 0, [WIDTH - 1, HEIGHT - 1])
    np.testing.assert_allclose(view.to_image_points(centre[None])[0], inside, atol=0.5)


def test_in_a_batch_a_part_that_is_not_found_is_an_error_verdict(
    aligned: Detector, tmp_path: Path, run_cli: RunCli
) -> None:
    save_image(tmp_path / "0.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    save_image(tmp_path / "1.png", bracket(22))
    first, second = aligned.inspect_many([tmp_path / "0.png", tmp_path / "1.png"])
    assert (first.verdict, second.verdict) == (Verdict.ERROR, Verdict.OK)
    assert first.error is not None
    assert "cannot be aligned" in first.error


def test_a_good_image_that_cannot_be_aligned_stops_the_fit(tmp_path: Path, run_cli: RunCli) -> None:
    for seed in range(3):
        save_image(tmp_path / f"{seed}.png", bracket(seed))
    save_image(tmp_path / "3.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    said = run_cli("fit", tmp_path, "-o", tmp_path / "a.blemish", "--align", "shift", "--size", "64").sentence
    assert "3.png cannot be aligned" in said


def test_all_images_that_cannot_be_aligned_or_read_are_named_at_once(tmp_path: Path, run_cli: RunCli) -> None:
    """They were named one a run, and those that cannot be read in a run before them."""
    good = tmp_path / "good"
    for seed in range(3):
        save_image(good / f"{seed}.png", bracket(seed))
    for name in ("7.png", "8.png"):
        save_image(good / name, np.zeros((HEIGHT, WIDTH), np.uint8))
    words = ("fit", good, "-o", tmp_path / "a.blemish", "--align", "shift", "--size", "64")
    said = run_cli(*words).sentence
    assert said.startswith("2 of 5 images cannot be read or aligned: ")
    assert said.count("cannot be aligned") == 2
    (good / "9.png").write_bytes((good / "0.png").read_bytes()[:99])
    said = run_cli(*words).sentence
    assert said.startswith("3 of 6 images cannot be read or aligned: ")
    assert [name in said for name in ("7.png", "8.png", "9.png")] == [True] * 3
    for path in (good / "7.png", good / "8.png", good / "9.png"):
        path.rename(tmp_path / path.name)
    assert run_cli(*words).code == 0
    save_image(tmp_path / "5.png", bracket(5))
    broken = [tmp_path / name for name in ("5.png", "7.png", "8.png", "9.png")]
    for command in (("calibrate", tmp_path / "a.blemish", "--good"), ("feedback", "add", tmp_path / "a.blemish")):
        said = run_cli(*command, *broken[:1], *[each for path in broken[1:] for each in _also(command, path)]).sentence
        assert said.startswith("3 of 4 images cannot be read or aligned: ")


def test_calibrating_aligns_an_image_to_know_it_and_to_score_it_and_not_once_more(
    aligned: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (31, 32, 33):
        save_image(tmp_path / f"{seed}.png", bracket(seed))
    asked: list[str] = []
    align = Aligner.__call__

    def counted(self: Aligner, image: Array, name: str) -> Doubles:
        asked.append(name)
        return align(self, image, name)

    monkeypatch.setattr(Aligner, "__call__", counted)
    calibrate(aligned, tmp_path)
    assert Counter(Path(name).name for name in asked) == {"31.png": 2, "32.png": 2, "33.png": 2}


def test_all_defective_images_that_cannot_be_aligned_are_named_at_once(aligned: Detector, tmp_path: Path) -> None:
    for name in ("7.png", "8.png"):
        save_image(tmp_path / name, np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(ImageError, match="2 of 2 images cannot be read or aligned: "):
        part_scores(aligned, [tmp_path / "7.png", tmp_path / "8.png"])


def _also(command: tuple[object, ...], path: Path) -> tuple[object, ...]:
    """Another image for a command: calibrate names each by its option."""
    return ("--good", path) if command[0] == "calibrate" else (path,)
