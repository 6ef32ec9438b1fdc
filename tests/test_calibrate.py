"""Thresholds come from images that the memory has not seen, and never from half a group."""

from typing import Any

import numpy as np
import pytest

from blemish.arrays import Bools, Doubles
from blemish.calibration.cross_fit import thresholds_of
from blemish.calibration.held_out import HeldOut, check_unseen, cross_scores, divide, group_scores, hold_out
from blemish.calibration.thresholds import Calibration, Mode, Wanted, set_thresholds
from blemish.errors import DataError, OptionError
from blemish.model.inspection import drawn_in, verdict_of
from blemish.options.settings import make_settings
from blemish.result import Verdict


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_groups_are_never_divided(seed: int) -> None:
    groups = [f"part {number // 3}" for number in range(60)]
    folds = divide(groups, 5, seed)
    assert len(folds) == 60
    for part in set(groups):
        assert len({fold for fold, group in zip(folds, groups, strict=True) if group == part}) == 1
    assert sorted(np.bincount(folds)) == [12] * 5


def test_the_seed_decides_and_the_order_does_not() -> None:
    groups = [f"part {number}" for number in range(40)]
    np.testing.assert_array_equal(divide(groups, 5, 0), divide(groups, 5, 0))
    assert (divide(groups, 5, 0) != divide(groups, 5, 1)).any()
    np.testing.assert_array_equal(divide(groups[::-1], 5, 0), divide(groups, 5, 0)[::-1])


def test_few_groups_make_few_folds() -> None:
    assert sorted(divide(["a", "b", "b"], 5, 0).tolist()) in ([0, 0, 1], [0, 1, 1])


@pytest.mark.parametrize("groups", [["a"], ["a", "a", "a"]])
def test_one_group_is_refused(groups: list[str]) -> None:
    with pytest.raises(DataError, match=r"form 1 group\(s\); at least 2 good images of different parts"):
        divide(groups, 5, 0)


def test_every_image_is_scored_once_while_held_out() -> None:
    groups = [f"part {number // 2}" for number in range(20)]
    asked: list[Bools] = []

    def score(held_N: Bools) -> HeldOut:
        asked.append(held_N.copy())
        image_M = np.flatnonzero(held_N)
        return HeldOut(image_M, image_M.astype(np.float64), (image_M + 100).astype(np.float64))

    steps: list[tuple[str, int, int]] = []
    held_out = cross_scores(score, groups, folds=4, seed=0, progress=lambda *step: steps.append(step))
    np.testing.assert_array_equal(np.sum(asked, axis=0), 1)
    np.testing.assert_array_equal(held_out.image_M, np.arange(20))
    np.testing.assert_array_equal(held_out.scores_M, np.arange(20))
    np.testing.assert_array_equal(held_out.peaks_M, np.arange(20) + 100)
    assert steps == [("threshold", done, 4) for done in (1, 2, 3, 4)]


def parts(count: int, images: int = 1) -> list[str]:
    return [f"part {number // images}" for number in range(count * images)]


@pytest.mark.parametrize(
    ("options", "count", "refits", "held"),
    [
        ({}, 996, True, 0),  # three in ten of 996 are 298, and 1 % at 95 % needs 299
        ({}, 997, True, 299),
        ({"false_rejects": 0.05}, 196, True, 0),
        ({"false_rejects": 0.05}, 197, True, 59),
        ({}, 20, False, 6),  # a method that is trained once has no other way
        ({"calibration": "split"}, 20, True, 6),
        ({"calibration": "split"}, 2, True, 1),
        ({"calibration": "split", "held_out": 0.5}, 20, True, 10),
        ({"calibration": "split", "held_out": 19}, 20, True, 19),
        ({"calibration": "cross"}, 2000, True, 0),
    ],
)
def test_which_parts_are_kept_from_the_memory(options: dict[str, Any], count: int, refits: bool, held: int) -> None:
    groups = parts(count, images=2)
    held_N = hold_out(groups, make_settings(**options), refits=refits)
    assert held_N.sum() == 2 * held
    assert not {group for group, out in zip(groups, held_N, strict=True) if out} & {
        group for group, out in zip(groups, held_N, strict=True) if not out
    }


def test_the_seed_draws_the_parts_that_are_held_out() -> None:
    def drawn(seed: int) -> list[bool]:
        return list(hold_out(parts(20), make_settings(calibration="split", seed=seed), refits=True))

    assert drawn(0) == drawn(0) != drawn(1)


def test_parts_that_cannot_be_held_out() -> None:
    with pytest.raises(DataError, match=r"held_out=20 leaves none of the 20 good parts to learn from"):
        hold_out(parts(20), make_settings(calibration="split", held_out=20), refits=True)
    with pytest.raises(DataError, match=r"form 1 group\(s\); at least 2 good images of different parts"):
        hold_out(["a", "a"], make_settings(calibration="split"), refits=True)
    with pytest.raises(OptionError, match="calibration=cross cannot be used with the method patchcore: it would be"):
        hold_out(parts(20), make_settings(calibration="cross"), refits=False)


def test_a_part_scores_as_its_worst_image() -> None:
    np.testing.assert_array_equal(group_scores(np.array([1.0, 5, 2, 3]), ["b", "a", "b", "a"]), [5, 2])
    np.testing.assert_array_equal(group_scores(np.array([-3.0, -5]), ["a", "a"]), [-3])


def calibrated(scores: Doubles, mode: Mode = "split", *, groups: list[str] | None = None, **wanted: Any) -> Calibration:
    asked = Wanted(**{"false_rejects": 0.05, "confidence": 0.95, "review": 0.0} | wanted)
    return set_thresholds(scores, scores + 100, groups or parts(len(scores)), asked, mode=mode)


def test_59_parts_promise_5_percent_and_58_say_what_is_missing() -> None:
    scores = np.arange(59.0)
    enough, short = calibrated(scores), calibrated(scores[:58])
    assert (enough.threshold, enough.above, enough.map_threshold) == (58, 0, 158)
    assert enough.promise == pytest.approx(0.0495, abs=1e-4)
    assert str(enough) == (
        "threshold 58: at most 5.0 % of good parts are NG, with 95 % confidence. 0 of 59 good parts kept from the "
        "memory bank may score above it."
    )
    assert (short.threshold, short.above) == (57, 0)
    assert short.promise == pytest.approx(0.0503, abs=1e-4)
    assert str(short) == (
        "threshold 57: at most 5.1 % of good parts are NG, with 95 % confidence. 58 good parts kept from the memory "
        "bank support no more; 5.0 % needs 59 parts."
    )


@pytest.mark.parametrize(("count", "above"), [(298, 0), (299, 0), (472, 0), (473, 1), (2000, 12)])
def test_the_threshold_is_the_lowest_that_keeps_1_percent(count: int, above: int) -> None:
    scores = np.random.default_rng(0).permutation(count).astype(float)
    found = calibrated(scores, false_rejects=0.01)
    assert (found.above, found.threshold) == (above, count - 1 - above)
    assert found.promise is not None
    assert (found.promise <= 0.01) == (count >= 299)


def test_parts_are_counted_not_images() -> None:
    """Six images of ten parts promise no more than ten images of ten parts."""
    scores = np.arange(60.0)
    found = calibrated(scores, groups=parts(10, images=6))
    assert (found.images, found.groups, found.threshold) == (60, 10, 59)
    assert found.promise == pytest.approx(1 - 0.05**0.1)
    assert "10 good parts (60 images)" in str(found)


def test_cross_fitted_scores_promise_nothing() -> None:
    found = calibrated(np.arange(199.0), mode="cross", false_rejects=0.01)
    assert found.promise is found.review_promise is None
    assert (found.threshold, found.above, found.estimate) == (197, 1, 0.01)
    assert str(found) == (
        "threshold 197: about 1.0 % of good parts are NG. This is an estimate: each of 199 good parts was scored by a "
        "memory bank without its fold. To promise at most 1.0 % with 95 % confidence, calibrate on 299 or more good "
        "parts that the memory bank has not seen."
    )
    few = calibrated(np.arange(8.0), mode="cross", false_rejects=0.01)
    assert (few.threshold, few.estimate) == (7, 1 / 9)


def test_equal_scores_never_reject_more_than_promised() -> None:
    found = calibrated(np.repeat([1.0, 2.0], [10, 90]))
    assert (found.threshold, found.above) == (2, 1)
    assert calibrated(np.ones(60)).threshold == calibrated(np.ones(60)).review_threshold == 1
    assert calibrated(np.zeros(1)).promise == pytest.approx(0.95)


def test_a_review_band_is_as_wide_as_what_people_can_look_at() -> None:
    found = calibrated(np.arange(1000.0), false_rejects=0.01, review=0.05)
    assert (found.above, found.threshold) == (4, 995)
    assert (found.review_above, found.review_threshold) == (47, 952)
    assert found.map_threshold == 1052  # regions follow the lower edge
    assert found.images_with_region == 47
    assert found.map_extent == 999  # what nine in ten never pass
    assert found.review_promise == pytest.approx(0.06, abs=1e-3)
    assert [verdict_of(score, found) for score in (952, 952.5, 995, 995.5)] == [
        Verdict.OK,
        Verdict.REVIEW,
        Verdict.REVIEW,
        Verdict.NG,
    ]
    assert str(found).endswith("REVIEW from 952: at most 6.0 % of good parts are REVIEW or NG.")
    assert str(calibrated(np.arange(99.0), "cross", review=0.1)).endswith(
        "REVIEW from 84: about 15.0 % of good parts are REVIEW or NG."
    )


@pytest.mark.parametrize(("mode", "parts", "needed"), [("cross", 30, 33), ("split", 60, 78)])
def test_a_band_that_was_asked_for_and_cannot_be_is_told(mode: Mode, parts: int, needed: int) -> None:
    """Nothing was said, and nothing was REVIEW."""
    few = calibrated(np.arange(float(parts)), mode, false_rejects=0.01, review=0.05)
    assert few.review_threshold == few.threshold
    assert str(few).endswith(f". No REVIEW: {parts} good parts are too few for it; it needs {needed} parts.")
    enough = calibrated(np.arange(float(needed)), mode, false_rejects=0.01, review=0.05)
    assert enough.review_threshold < enough.threshold
    assert "No REVIEW" not in str(enough)
    assert "No REVIEW" in str(calibrated(np.arange(needed - 1.0), mode, false_rejects=0.01, review=0.05))


def test_a_band_that_no_number_of_parts_can_have_is_told() -> None:
    """The number was looked for without end."""
    all_rejected = calibrated(np.arange(1.0, 31.0), "cross", false_rejects=0.25, review=0.3, threshold=0.5)
    assert str(all_rejected).endswith(". No REVIEW: all good parts are NG.")
    hardly_any = calibrated(np.arange(60.0), "split", false_rejects=0.05, review=1e-9)
    assert str(hardly_any).endswith(". No REVIEW: 60 good parts are too few for it; it needs far more parts.")


def test_a_band_below_a_threshold_set_by_hand_is_told() -> None:
    found = calibrated(np.arange(30.0), "cross", false_rejects=0.01, review=0.05, threshold=100)
    assert (found.review_threshold, found.above, found.review_above) == (29, 0, 0)
    assert str(found).endswith(". REVIEW from 29: about 3.2 % of good parts are REVIEW or NG.")


def test_without_a_band_there_is_no_review() -> None:
    found = calibrated(np.arange(100.0))
    assert found.review_threshold == found.threshold
    assert "REVIEW" not in str(found)
    assert {verdict_of(score, found) for score in np.linspace(0, 200, 999)} == {Verdict.OK, Verdict.NG}


def test_a_threshold_by_hand_is_told_what_it_promises() -> None:
    found = calibrated(np.arange(1.0, 101), threshold=95.5)
    assert (found.threshold, found.above) == (95.5, 5)
    assert found.promise == pytest.approx(0.1023, abs=1e-4)  # Clopper-Pearson: 5 of 100, one-sided
    assert "at most 10.3 % of good parts are NG, with 95 % confidence. It was set by hand; 5 of 100" in str(found)
    assert found.map_threshold == pytest.approx(195.5), "peaks lie as far apart as scores, here"
    far = calibrated(np.arange(1.0, 101), threshold=0.5)
    assert (far.above, far.promise) == (100, 1)


@pytest.mark.parametrize(("scale", "zero"), [(1, 0), (0.1, 0), (1, -60), (20, 300)])
def test_a_threshold_by_hand_moves_regions_alike_wherever_maps_have_their_zero(scale: float, zero: float) -> None:
    """Joined looks count deviations from the mean of good images: half of their scores lie below 0."""
    scores = np.linspace(-2, 2, 50)
    asked = Wanted(false_rejects=0.05, confidence=0.95, review=0, threshold=5)
    found = set_thresholds(scores, scale * scores + zero, parts(50), asked, mode="split")
    assert found.map_threshold == pytest.approx(scale * 5 + zero)


def test_what_is_wanted_can_be_changed_and_is_checked() -> None:
    wanted = Wanted.of(make_settings(review=0.1))
    assert wanted.changed(false_rejects=0.02) == Wanted(false_rejects=0.02, confidence=0.95, review=0.1)
    by_hand = wanted.changed(threshold=3.0)
    assert by_hand.changed(review=0.2).threshold == 3
    assert by_hand.changed(false_rejects=0.05).threshold is None
    for option, value in (("false_rejects", 0.0), ("false_rejects", 1.0), ("confidence", 1.5), ("review", -0.1)):
        with pytest.raises(OptionError, match=f"Option {option}={value} cannot be used"):
            wanted.changed(**{option: value})
    with pytest.raises(OptionError, match="leaves no good part OK"):
        wanted.changed(false_rejects=0.5, review=0.5)
    with pytest.raises(OptionError, match="leaves no good part OK"):
        Wanted.of(make_settings(false_rejects=0.5, review=0.5))
    with pytest.raises(OptionError, match="not both"):
        wanted.changed(false_rejects=0.5, threshold=3.0)


def test_scores_of_0_betray_twins() -> None:
    check_unseen(np.array([0.0, 2.0]))
    check_unseen(np.array([-1.0, -1.0]))
    for count in (1, 5):
        with pytest.raises(DataError, match=rf"The {count} good image\(s\) .* the memory holds a copy of each"):
            check_unseen(np.zeros(count))


def test_percentiles_count_the_images_that_score_no_higher() -> None:
    held_out = HeldOut(np.arange(4), np.array([1.0, 2, 2, 3]), np.zeros(4))
    assert [held_out.percentile(score) for score in (0.5, 1, 2, 2.5, 9)] == [0, 25, 75, 75, 100]


def test_regions_draw_in_by_as_far_as_the_floor_of_an_image_lies_above_that_of_good_ones() -> None:
    scores = np.linspace(1, 20, 20)
    held_out = HeldOut(np.arange(20), scores, scores, np.linspace(0, 1.9, 20))
    asked = Wanted(false_rejects=0.05, confidence=0.95, review=0)
    found = thresholds_of(held_out, parts(20), asked, "cross")
    assert found.map_floor == pytest.approx(1.7), "two of twenty lie above it"
    assert drawn_in(1.5, found) == 0
    assert drawn_in(2.2, found) == pytest.approx(2)
    scores_only = HeldOut(held_out.image_M, scores, scores)
    assert thresholds_of(scores_only, parts(20), asked, "cross", was=found).map_floor == found.map_floor
    assert drawn_in(100, thresholds_of(scores_only, parts(20), asked, "cross")) == 0, "models of earlier versions"


def test_one_odd_part_does_not_set_where_regions_begin() -> None:
    """Of 40 parts, one peaks far above all others: an estimate leaves it out of the map, a promise cannot."""
    peaks = np.append(np.linspace(1, 2, 39), 50)
    asked = Wanted(false_rejects=0.01, confidence=0.95, review=0)
    cross, split = (set_thresholds(peaks, peaks, parts(40), asked, mode=mode) for mode in ("cross", "split"))
    assert split.map_threshold == 50
    assert 2 < cross.map_threshold < 3
    assert cross.images_with_region == 1
    calm = set_thresholds(peaks[:39], peaks[:39], parts(39), asked, mode="cross")
    assert calm.map_threshold == pytest.approx(2)
