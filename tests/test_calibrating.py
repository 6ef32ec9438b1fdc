"""A fitted detector's operating point moves without fitting again, and only good images it has not seen may move it."""

import json
from pathlib import Path

import numpy as np
import pytest
from parts import good_part, save_image, scratched_part, stained_part
from shell import RunCli

import blemish
from blemish.detector import Detector, load
from blemish.errors import DataError, ImageError, OptionError
from blemish.evaluation.operating import PartScores
from blemish.evaluation.points import part_scores, tabulate
from blemish.language.numbers import counted
from blemish.result import Verdict

NEW = [good_part(seed) for seed in range(500, 512)]


@pytest.fixture(scope="module")
def calibrated(detector: Detector) -> Detector:
    """On twelve parts that the memory has not seen."""
    return blemish.calibrate(detector, NEW, false_rejects=0.25)


def test_new_good_images_turn_an_estimate_into_a_promise(detector: Detector, calibrated: Detector) -> None:
    before, after = detector.manifest.calibration, calibrated.model.manifest.calibration
    assert (before.mode, before.promise) == ("cross", None)
    assert (after.mode, after.groups, after.images) == ("split", 12, 12)
    assert after.promise == pytest.approx(1 - 0.05 ** (1 / 12))  # 25 % needs 11
    scores = [detector.inspect(image).score for image in NEW]
    np.testing.assert_array_equal(calibrated.model.held_out.scores_M, scores)
    assert calibrated.threshold == max(scores)
    assert {result.verdict for result in calibrated.inspect_many(NEW)} == {Verdict.OK}


def test_the_given_detector_stays_as_it_is(detector: Detector, calibrated: Detector) -> None:
    assert detector.manifest.calibration.mode == "cross"
    assert len(detector.manifest.images) == 8
    assert [image.in_memory for image in calibrated.model.manifest.images] == [True] * 8 + [False] * 12
    assert calibrated.info()["images"] == 8
    assert calibrated.model.method is detector.model.method


def test_a_calibrated_detector_survives_its_file(calibrated: Detector, tmp_path: Path) -> None:
    calibrated.save(tmp_path / "a.blemish")
    again = load(tmp_path / "a.blemish")
    assert again.model.manifest.calibration == calibrated.model.manifest.calibration
    moved = blemish.calibrate(again, false_rejects=0.5)
    assert moved.model.manifest.calibration.above == 2  # P(Binomial(12, 1/2) <= 2) = 1.9 %, <= 3: 7.3 %
    assert moved.threshold == sorted(calibrated.model.held_out.scores_M)[-3]
    assert moved.model.manifest.calibration.wanted.confidence == 0.95


def test_new_images_take_the_place_of_those_before(calibrated: Detector) -> None:
    again = blemish.calibrate(calibrated, NEW[:11])
    assert (again.model.manifest.calibration.groups, len(again.model.manifest.images)) == (11, 31)
    assert list(again.model.held_out.image_M) == list(range(20, 31))


def test_groups_of_new_images_are_parts(detector: Detector) -> None:
    grouped = blemish.calibrate(detector, NEW, groups=[str(number // 3) for number in range(12)])
    assert (grouped.model.manifest.calibration.groups, grouped.model.manifest.calibration.images) == (4, 12)
    with pytest.raises(OptionError, match="3 groups were given for 12 images"):
        blemish.calibrate(detector, NEW, groups=["a"] * 3)


def test_a_review_band_gives_all_three_verdicts(calibrated: Detector) -> None:
    banded = blemish.calibrate(calibrated, review=0.5)
    results = list(banded.inspect_many([*NEW, stained_part(1).grey]))
    assert {result.verdict for result in results} == {Verdict.OK, Verdict.REVIEW, Verdict.NG}
    for result in results:
        assert result.review_threshold < result.threshold
        assert (result.verdict is Verdict.OK) == (result.score <= result.review_threshold)
        assert bool(result.regions) == (result.verdict is not Verdict.OK)  # what is for review is outlined


def test_results_carry_a_scale_that_people_can_read(calibrated: Detector) -> None:
    good, bad = calibrated.inspect(NEW[0]), calibrated.inspect(scratched_part(1).grey)
    assert bad.percentile == 100
    assert 0 < good.percentile <= 100
    assert bad.times_threshold == bad.score / calibrated.threshold > 1 >= good.times_threshold


def test_images_the_memory_has_seen_are_refused(detector: Detector, folder: Path) -> None:
    with pytest.raises(DataError, match=r"2 of the 3 good images are in the memory \(.*0\.png, .*1\.png\)"):
        blemish.calibrate(detector, [folder / "fit" / "0.png", folder / "line" / "good1.png", folder / "fit" / "1.png"])


def test_what_cannot_calibrate(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No images were given"):
        blemish.calibrate(detector, [])
    with pytest.raises(OptionError, match=r"images or a list of them is wanted, but int came"):
        blemish.calibrate(detector, 7)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="Option false_rejects=2 cannot be used"):
        blemish.calibrate(detector, false_rejects=2)
    (tmp_path / "cut.png").write_bytes(b"cut")
    with pytest.raises(ImageError, match=r"cut\.png"):
        blemish.calibrate(detector, [NEW[0], tmp_path / "cut.png"])


def test_a_table_of_points_shows_both_sides(calibrated: Detector) -> None:
    parts = part_scores(calibrated, [scratched_part(1).grey, stained_part(2).grey, good_part(900)])
    rows = tabulate(calibrated, parts, miss_cost=10)
    assert [row.name for row in rows][:3] == ["in use", "in use, 5.0 % REVIEW", "asked for 0.5 % NG"]
    assert rows[0].misses is not None
    assert (rows[0].misses.count, rows[0].misses.of) == (1, 3)  # a good part among the defects is missed
    assert (rows[0].needs, rows[2].needs) == (None, 598)
    assert rows[2].cells()[2:4] == ("at most 22.1 %", "598 parts")
    none = next(row for row in rows if row.name == "zero miss (oracle)")
    assert none.misses is not None
    assert none.misses.count == 0
    assert none.threshold < parts.defective.min()
    assert [row.misses for row in tabulate(calibrated, None, miss_cost=10)] == [None] * 7


def test_a_review_band_takes_from_the_misses(calibrated: Detector) -> None:
    """What people look at is neither NG nor missed."""
    cut = sorted(calibrated.model.held_out.scores_M)
    parts = PartScores(np.array(cut), np.array([cut[-1] + 1, cut[-1], cut[-3], cut[0]]))
    banded = blemish.calibrate(calibrated, review=0.5)
    row = tabulate(banded, parts, miss_cost=10)[0]
    calibration = banded.model.manifest.calibration
    assert calibration.review_threshold < cut[-1] == calibration.threshold
    assert row.misses is not None
    assert row.reviewed is not None
    seen = int((parts.defective > calibration.review_threshold).sum())
    assert (row.misses.count, row.reviewed.count) == (4 - seen, seen - 1)
    assert row.cells()[-1] == counted(seen - 1, 4)


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.blemish"
    path.write_bytes(model.read_bytes())
    return path


def test_calibrate_writes_only_what_changed(copy: Path, tmp_path: Path, run_cli: RunCli) -> None:
    before = copy.read_bytes()
    shown = run_cli("calibrate", copy)
    assert shown.code == 0
    assert "about 11.1 %" in shown.stdout
    assert copy.read_bytes() == before
    aside = run_cli("calibrate", copy, "--review", "0.3", "-o", tmp_path / "other.blemish")
    assert (aside.code, copy.read_bytes()) == (0, before)
    assert load(tmp_path / "other.blemish").model.manifest.calibration.wanted.review == 0.3
    assert run_cli("calibrate", copy, "--threshold", "12.5").code == 0
    assert load(copy).threshold == 12.5


def test_calibrate_on_folders_and_show_what_is_missed(copy: Path, tmp_path: Path, run_cli: RunCli) -> None:
    for number, image in enumerate(NEW):
        save_image(tmp_path / f"week {number % 2}" / f"{number}.png", image)
    save_image(tmp_path / "ng" / "0.png", stained_part(5).grey)
    folders = ("--good", tmp_path / "week 0", "--good", tmp_path / "week 1", "--defective", tmp_path / "ng")
    outcome = run_cli("calibrate", copy, *folders, "--false-rejects", "0.25", "--json")
    found = json.loads(outcome.stdout)
    assert found["calibration"]["groups"] == 12
    assert found["calibration"]["promise"] == pytest.approx(0.2209, abs=1e-4)
    assert [point["misses"]["of"] for point in found["points"]] == [1] * 9
    again = run_cli("calibrate", copy, "--defective", tmp_path / "ng")
    assert "zero miss (oracle)" in again.stdout
    assert "at most 25.0 % of good parts are NG, with 95 % confidence" in again.stderr


def test_calibrate_from_a_csv_keeps_groups(copy: Path, tmp_path: Path, run_cli: RunCli) -> None:
    rows = ["path,label,split,group"]
    for number, image in enumerate(NEW[:6]):
        save_image(tmp_path / f"{number}.png", image)
        rows.append(f"{number}.png,good,test,part {number // 2}")
    (tmp_path / "new.csv").write_text("\n".join(rows), encoding="utf-8")
    assert run_cli("calibrate", copy, "--good", tmp_path / "new.csv").code == 0
    assert load(copy).model.manifest.calibration.groups == 3
    assert (
        "names no defective image of split test"
        in run_cli("calibrate", copy, "--defective", tmp_path / "new.csv").sentence
    )


def test_bad_operating_points_are_one_sentence(copy: Path, tmp_path: Path, run_cli: RunCli) -> None:
    assert "Option false_rejects=0.0 cannot be used" in run_cli("calibrate", copy, "--false-rejects", "0").sentence
    both = run_cli("calibrate", copy, "--false-rejects", "0.1", "--threshold", "3").sentence
    assert "not both" in both
    assert "does not exist" in run_cli("calibrate", copy, "--good", tmp_path / "absent").sentence
    assert "does not exist" in run_cli("calibrate", tmp_path / "absent.blemish").sentence
