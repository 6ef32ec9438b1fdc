"""Learning on the line: what is added is OK, what is removed leaves no trace, and what is undone is as it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import TINY, good_part, save_image, stained_part

from blemish.arrays import Bytes
from blemish.calibrating import calibrate
from blemish.detector import Detector, load
from blemish.errors import DataError, ImageError, OptionError
from blemish.fitting import fit
from blemish.result import Verdict

Make = Callable[[], Detector]


def marked(seed: int) -> Bytes:
    """A good part of another batch, with a bright label that the first batch did not have."""
    plate = good_part(seed)
    plate[60:76, 104:132] = 200
    return plate


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    root = tmp_path_factory.mktemp("feedback")
    return {
        "fit": [save_image(root / "fit" / f"{seed}.png", good_part(seed)) for seed in range(12)],
        "new": [save_image(root / "新品" / f"良品{seed}.png", marked(seed)) for seed in range(50, 53)],
    }


@pytest.fixture(scope="module")
def saved(paths: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "part.blemish"
    fit(paths["fit"], **TINY).save(path)
    return path


@pytest.fixture
def fresh(saved: Path) -> Detector:
    return load(saved, threads=2)


def state(detector: Detector) -> dict[str, bytes]:
    """All that a model is, as bytes."""
    tensors = {
        **detector.model.method.tensors(),
        "scores": detector.model.held_out.scores_M,
        "unseen": detector.model.held_out.image_M,
    }
    manifest = detector.manifest.model_dump_json(exclude={"sha256", "format"}).encode()
    return {name: tensor.tobytes() for name, tensor in tensors.items()} | {"manifest": manifest}


def through_a_file(detector: Detector, folder: Path) -> Detector:
    detector.save(folder / "through.blemish")
    return load(folder / "through.blemish")


def test_a_rejected_good_part_is_ok_once_it_was_added(fresh: Detector, paths: dict[str, list[Path]]) -> None:
    before = [fresh.inspect(path) for path in paths["new"]]
    assert {result.verdict for result in before} == {Verdict.NG}
    fresh = fresh.add(paths["new"])
    for path in paths["new"]:
        after = fresh.inspect(path)
        assert after.verdict is Verdict.OK
        assert after.regions == []
        assert after.score <= fresh.model.method.looks[0].bank.radius  # type: ignore[attr-defined]


def test_others_of_the_new_batch_become_better_and_defects_stay(fresh: Detector, paths: dict[str, list[Path]]) -> None:
    others = [marked(seed) for seed in range(60, 64)]
    before = [fresh.inspect(image).score for image in others]
    fresh = fresh.add(paths["new"])
    assert all(fresh.inspect(image).score < 0.8 * score for image, score in zip(others, before, strict=True))
    assert all(fresh.inspect(stained_part(seed).grey).verdict is Verdict.NG for seed in range(70, 73))


def test_the_bank_covers_what_was_added_as_it_covers_what_was_fitted(
    fresh: Detector, paths: dict[str, list[Path]]
) -> None:
    radius = fresh.model.method.looks[0].bank.radius  # type: ignore[attr-defined]
    fresh = fresh.add(paths["new"])
    for path in paths["fit"] + paths["new"]:
        matches = fresh.inspect(path).matches
        assert matches is not None
        assert matches.distance_Q.max() <= radius


def test_added_images_count_with_the_scores_of_a_memory_without_their_part(
    fresh: Detector, saved: Path, paths: dict[str, list[Path]]
) -> None:
    """The first of three is scored by a memory that has the two others, as cross-fitting would."""
    before = fresh.model.manifest.calibration
    fresh = fresh.add(paths["new"])
    change = fresh.journal[-1]
    after = fresh.model.manifest.calibration
    assert (after.images, after.groups) == (before.images + 3, before.groups + 3)
    others = load(saved)
    others = others.add(paths["new"][1:])
    assert fresh.model.held_out.scores_M[-3] == pytest.approx(others.inspect(paths["new"][0]).score, rel=0.02)
    assert fresh.model.held_out.scores_M[-3] < load(saved).inspect(paths["new"][0]).score
    assert (change.before, change.threshold) == (before, after.threshold)


def test_a_promise_stands_when_images_are_added(paths: dict[str, list[Path]]) -> None:
    """Thresholds on parts kept from the memory stay, and a larger bank lets no part score higher."""
    detector = fit(paths["fit"], calibration="split", held_out=4, **TINY)
    before = detector.manifest.calibration
    good = [good_part(seed) for seed in range(90, 94)]
    scores = [detector.inspect(image).score for image in good]
    detector = detector.add(paths["new"])
    assert detector.manifest.calibration == before
    assert all(detector.inspect(image).score <= score for image, score in zip(good, scores, strict=True))


def test_nothing_is_needed_of_an_image_that_is_covered(fresh: Detector, paths: dict[str, list[Path]]) -> None:
    """Another file of a part whose patches the bank covers already: no row comes, but it counts."""
    fresh = fresh.add(paths["new"][:1])
    rows = len(fresh.model.method.tensors()["bank.rows"])
    bright = marked(50)
    bright[0, 0] += 1
    fresh = fresh.add([bright])
    change = fresh.journal[-1]
    assert change.added["bank"] == len(fresh.model.method.tensors()["bank.rows"]) - rows <= 1
    assert len(fresh.model.manifest.images) == 14


def test_images_added_together_or_in_any_order_make_one_bank(saved: Path, paths: dict[str, list[Path]]) -> None:
    first, second = load(saved), load(saved)
    first = first.add(paths["new"])
    second = second.add(paths["new"][::-1])
    assert first.model.method.tensors()["bank.rows"].shape == second.model.method.tensors()["bank.rows"].shape


def test_copies_are_refused_under_any_name(fresh: Detector, paths: dict[str, list[Path]], tmp_path: Path) -> None:
    before = state(fresh)
    copy = save_image(tmp_path / "copy.png", good_part(3))
    with pytest.raises(DataError, match=r"copy\.png shows the same pixels as .*3\.png, which is in the model already"):
        fresh.add([copy])
    new = save_image(tmp_path / "new.png", marked(50))
    with pytest.raises(DataError, match=r"new\.png shows the same pixels as .*良品50\.png"):
        fresh.add([*paths["new"], new])
    assert state(fresh) == before


def test_an_image_that_cannot_be_used_changes_nothing(fresh: Detector, paths: dict[str, list[Path]]) -> None:
    before = state(fresh)
    with pytest.raises(ImageError, match="fitted on uint8"):
        fresh.add([paths["new"][0], good_part(1).astype(np.uint16)])
    with pytest.raises(DataError, match="No images were given"):
        fresh.add([])
    with pytest.raises(OptionError, match="1 groups were given for 2 images"):
        fresh.add(paths["new"][:2], groups=["a"])
    assert state(fresh) == before


@pytest.mark.parametrize("files", [False, True], ids=["in memory", "through files"])
def test_undo_restores_every_bit(saved: Path, paths: dict[str, list[Path]], tmp_path: Path, files: bool) -> None:
    """Adding, removing of old and new, undone step by step."""
    detector = load(saved)
    changes: list[Callable[[Detector], Detector]] = [
        lambda detector: detector.add(paths["new"][:2], who="田中"),
        lambda detector: detector.remove([str(paths["fit"][4]), paths["new"][0]], who="佐藤"),
        lambda detector: detector.add(paths["new"][2:]),
        lambda detector: detector.remove([paths["fit"][0]]),
    ]
    states = []
    for change in changes:
        states.append(state(detector))
        changed = change(detector)
        assert state(detector) == states[-1], "the detector that was changed stays as it is"
        detector = changed
        if files:
            detector = through_a_file(detector, tmp_path)
    for before in reversed(states):
        detector = detector.undo()
        if files:
            detector = through_a_file(detector, tmp_path)
        assert state(detector) == before
    with pytest.raises(DataError, match="Nothing was changed since the model was fitted"):
        detector.undo()


def test_removing_what_was_added_gives_the_verdicts_of_before(fresh: Detector, paths: dict[str, list[Path]]) -> None:
    seen = [good_part(80), marked(81), stained_part(82).grey]
    before = [fresh.inspect(image) for image in seen]
    fresh = fresh.add(paths["new"])
    fresh = fresh.remove(paths["new"])
    after = [fresh.inspect(image) for image in seen]
    assert [(r.score, r.verdict, r.threshold) for r in after] == [(r.score, r.verdict, r.threshold) for r in before]


def test_what_was_removed_is_nowhere_and_the_others_stay_covered(fresh: Detector, paths: dict[str, list[Path]]) -> None:
    radius = fresh.model.method.looks[0].bank.radius  # type: ignore[attr-defined]
    fresh = fresh.remove([paths["fit"][5]])
    change = fresh.journal[-1]
    assert [image.path for image in change.images] == [str(paths["fit"][5])]
    assert str(paths["fit"][5]) not in {image.path for image in fresh.model.manifest.images}
    assert len(fresh.model.manifest.images) == fresh.model.manifest.calibration.images == 11
    for path in paths["fit"][:5] + paths["fit"][6:]:
        matches = fresh.inspect(path).matches
        assert matches is not None
        assert matches.distance_Q.max() <= radius
        assert max(matches.image_Q) < 11


def test_rows_still_name_the_image_they_were_cut_from(fresh: Detector, paths: dict[str, list[Path]]) -> None:
    """After images 2 and 7 left, an inspected training image finds its own rows under its own name."""
    fresh = fresh.remove([paths["fit"][2], paths["fit"][7]])
    for path in paths["fit"][:2] + paths["fit"][8:]:
        matches = fresh.inspect(path).matches
        assert matches is not None
        own = matches.distance_Q == 0
        assert own.any()
        assert {fresh.model.manifest.images[number].path for number in matches.image_Q[own]} == {str(path)}


def test_names_that_are_not_there(
    fresh: Detector, paths: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"absent\.png is none of the 12 images of the model, such as .*0\.png"):
        fresh.remove(["absent.png"])
    with pytest.raises(DataError, match="none would be left to learn from"):
        fresh.remove(paths["fit"])
    monkeypatch.chdir(paths["fit"][0].parent)
    assert fresh.remove(["0.png"]).journal[-1].numbers == (0,), "a file named from where one stands"


def test_a_part_that_is_known_is_scored_as_if_it_were_not(saved: Path, paths: dict[str, list[Path]]) -> None:
    """Its second picture would otherwise count as a part that scores almost nothing."""
    twin = good_part(4)
    twin[::7, ::7] += 1
    apart, together = load(saved), load(saved)
    apart = apart.add([twin])
    together = together.add([twin], groups=[together.model.manifest.images[4].group])
    assert together.model.held_out.scores_M[-1] > apart.model.held_out.scores_M[-1]


def test_a_model_that_keeps_nothing_for_removal_still_learns(paths: dict[str, list[Path]]) -> None:
    kept, light = fit(paths["fit"], **TINY), fit(paths["fit"], removable=False, **TINY)
    np.testing.assert_array_equal(light.model.method.tensors()["bank.rows"], kept.model.method.tensors()["bank.rows"])
    assert "candidates.rows" not in light.model.method.tensors()
    assert len(kept.model.method.tensors()["candidates.rows"]) <= len(kept.model.method.tensors()["bank.rows"])
    light = light.add(paths["new"])
    assert light.inspect(paths["new"][0]).verdict is Verdict.OK
    light = light.remove([paths["fit"][0]])
    assert len(light.model.manifest.images) == 14


@pytest.mark.parametrize(
    "options",
    [{"image_score": "reweighted"}, {"image_score": "max"}, {"image_score": "top"}, {"projection": 16},
     {"bank_type": "float16"}, {"review": 0.2}, {"calibration": "split", "held_out": 4}],
    ids=str,
)  # fmt: skip
def test_whatever_the_settings_added_images_are_ok(paths: dict[str, list[Path]], options: dict[str, Any]) -> None:
    detector = fit(paths["fit"], **TINY, **options)
    before = state(detector)
    detector = detector.add(paths["new"])
    assert {detector.inspect(path).verdict for path in paths["new"]} == {Verdict.OK}
    detector = detector.remove(paths["fit"][:1])
    detector = detector.undo()
    detector = detector.undo()
    assert state(detector) == before


def test_a_model_of_format_1_learns_too(paths: dict[str, list[Path]], tmp_path: Path) -> None:
    old = load(Path(__file__).parent / "golden" / "format-1.blemish")
    before = len(old.model.manifest.images)
    old = old.add(paths["new"])
    assert old.inspect(paths["new"][0]).verdict is Verdict.OK
    again = through_a_file(old, tmp_path)
    again = again.undo()
    assert len(again.model.manifest.images) == before


def test_the_journal_says_who_when_and_which(fresh: Detector, paths: dict[str, list[Path]], tmp_path: Path) -> None:
    fresh = fresh.add(paths["new"], who="田中 花子")
    fresh = fresh.remove([paths["fit"][1]])
    first, second = through_a_file(fresh, tmp_path).journal
    assert (first.change, first.who) == ("add", "田中 花子")
    assert [Path(image.path).name for image in first.images] == ["良品50.png", "良品51.png", "良品52.png"]
    assert first.when.endswith("+00:00")
    assert second.change == "remove"
    assert second.who


@pytest.mark.parametrize("files", [False, True], ids=["in memory", "through files"])
def test_calibrations_are_journalled_and_undone_in_their_turn(
    fresh: Detector, paths: dict[str, list[Path]], tmp_path: Path, files: bool
) -> None:
    """On the scores kept and on new images, between changes of the memory; each step back restores every bit."""
    unseen = [good_part(seed) for seed in range(700, 706)]
    changes: list[Callable[[Detector], Detector]] = [
        lambda detector: detector.add(paths["new"]),
        lambda detector: calibrate(detector, false_rejects=0.2, who="田中"),
        lambda detector: calibrate(detector, unseen, review=0.1),
        lambda detector: detector.remove([paths["fit"][2]]),
        lambda detector: calibrate(detector, unseen[:3], threshold=20),
    ]
    detector, states = fresh, []
    for change in changes:
        states.append(state(detector))
        detector = change(detector)
        detector = through_a_file(detector, tmp_path) if files else detector
    assert [change.change for change in detector.journal] == ["add", "calibrate", "calibrate", "remove", "calibrate"]
    first, second = detector.journal[1:3]
    assert (first.who, len(first.images)) == ("田中", 0)
    assert first.wanted is not None
    assert first.wanted.false_rejects == 0.2
    assert [image.in_memory for image in second.images] == [False] * 6
    for before in reversed(states):
        detector = detector.undo()
        detector = through_a_file(detector, tmp_path) if files else detector
        assert state(detector) == before


def test_any_method_takes_a_calibration_back(paths: dict[str, list[Path]], tmp_path: Path) -> None:
    fitted = fit(paths["fit"], method="padim", size=96)
    before = state(fitted)
    moved = through_a_file(calibrate(fitted, [good_part(seed) for seed in range(700, 703)]), tmp_path)
    assert moved.journal[0].added == {"calibration": 3}
    moved = moved.undo()
    assert state(through_a_file(moved, tmp_path)) == before == state(fitted)
    with pytest.raises(OptionError, match="method padim cannot learn on the line"):
        moved.add(paths["new"])


def test_where_nothing_is_asked_nothing_is_journalled(fresh: Detector) -> None:
    assert calibrate(fresh) is fresh
    assert calibrate(fresh, review=0.1).journal[0].who
    assert fresh.journal == []
