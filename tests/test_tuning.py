"""Tune: the grid, the defects it makes, its choice, its state, and the recipe that fit takes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from parts import good_part, save_image, scratched_part
from shell import RunCli

import blemish
from blemish.arrays import Array
from blemish.errors import DataError, ImageError, OptionError
from blemish.methods.look_scale import OVERALL
from blemish.options.recipe import read_recipe
from blemish.tuning import prepare, run
from blemish.tuning.defects import CONTRASTS, KINDS, SIZES, draw, drawings
from blemish.tuning.grid import Candidate, candidates_of, families_of, looks_of
from blemish.tuning.measure import Job, MeasuredLook, measure
from blemish.tuning.rank import choose, cross_validated, found_share, interval, scored, separation
from blemish.tuning.state import Progressed

DEFAULT = Candidate(("448:2+3", "224:2+3:even", "224:3+4:even"))


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made defect of each sort, and a small grid of small looks."""
    monkeypatch.setattr(prepare, "MADE", 30)
    small = Candidate(("64:2+3", "32:2+3:even"))
    monkeypatch.setattr(prepare, "default_of", lambda settings, kinds: small)
    monkeypatch.setattr(prepare, "candidates_of", lambda default: [default, Candidate(("32:2+3:even",))])


@pytest.fixture
def good() -> list[Array]:
    return [good_part(seed) for seed in range(12)]


@pytest.fixture
def defective() -> list[Array]:
    return [scratched_part(seed).grey for seed in range(30, 34)]


def test_the_grid_begins_with_the_default_and_names_each_candidate_once() -> None:
    candidates = candidates_of(DEFAULT)
    assert candidates[0] == DEFAULT
    assert len(set(candidates)) == len(candidates)
    assert Candidate(("448:3+4:even",)) in candidates
    assert families_of(looks_of(candidates)) == [
        ["448:2+3"],
        ["224:2+3:even", "224:3+4:even"],
        ["448:2+3:even", "448:3+4:even"],
        ["224:2+3"],
    ]


def test_made_defects_are_of_all_kinds_sizes_and_contrasts_from_another_part() -> None:
    part_N = np.array([0, 0, 1, 1, 2])
    made = drawings(part_N, 60, seed=0)
    assert {drawing.cell for drawing in made} == {f"{k} {s} {c}" for k in KINDS for s in SIZES for c in CONTRASTS}
    assert all(part_N[drawing.image] != part_N[drawing.donor] for drawing in made)
    assert drawings(part_N, 60, seed=0) == made != drawings(part_N, 60, seed=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_made_defect_changes_the_image_only_where_it_is_looked_at(dtype: str) -> None:
    scale = 1 if dtype == "uint8" else 257
    sized, donor = (np.repeat((good_part(seed).astype(dtype) * scale)[..., None], 3, axis=2) for seed in (1, 2))
    looked_HW = np.zeros(sized.shape[:2], np.bool_)
    looked_HW[20:70, 30:90] = True
    for drawing in drawings(np.arange(2), 30, seed=0):
        drawn = draw(drawing, sized, donor, looked_HW)
        changed_HW = (drawn != sized).any(axis=2)
        assert drawn.dtype == sized.dtype
        assert changed_HW.any()
        assert not changed_HW[~looked_HW].any()
        np.testing.assert_array_equal(draw(drawing, sized, donor, looked_HW), drawn)


def test_large_defects_are_large_and_clear_ones_clearer() -> None:
    sized, donor = (np.repeat(good_part(seed)[..., None], 3, axis=2) for seed in (1, 2))
    looked_HW = np.ones(sized.shape[:2], np.bool_)
    first = next(each for each in drawings(np.arange(2), 30, seed=0) if each.kind == "tone")

    def change(size: str, contrast: str) -> Array:
        drawn = draw(replace(first, size=size, contrast=contrast), sized, donor, looked_HW)
        return np.asarray(np.abs(drawn.astype(int) - sized.astype(int)))

    assert (change("large", "clear") > 0).sum() > 5 * (change("small", "clear") > 0).sum()
    assert change("large", "clear").max() > 2 * change("large", "faint").max()


def test_found_is_what_lies_above_the_threshold_of_the_rate() -> None:
    good_N = np.arange(99.0)
    assert found_share(good_N, np.array([97.5, 98.5]), 0.01).tolist() == [1, 1]
    assert found_share(good_N, np.array([97.0, 98.0]), 0.005).tolist() == [0, 0]
    assert separation(good_N, np.array([-1.0, 200.0]), 0.01).tolist() == [0, 1]


@pytest.mark.parametrize("count", range(10, 201))
def test_the_smallest_rate_of_so_many_images_lets_one_of_them_be_rejected(count: int) -> None:
    """Of 48 images and some other numbers none was: 49 times 1/49 is a little less than 1."""
    assert found_share(np.arange(float(count)), np.array([count - 1.5]), 1 / (count + 1)).tolist() == [1]


def test_the_default_is_left_only_where_that_is_more_than_chance() -> None:
    base = np.full(6, 0.5)
    noisy = base + np.array([0.4, -0.35, 0.3, -0.3, 0.35, -0.3])
    better = base + np.array([0.2, 0.3, 0.25, 0.2, 0.3, 0.25])
    everything = [True, True, True]
    assert choose(np.array([base, noisy, base]), "real", everything) == 0
    assert choose(np.array([base, noisy, better]), "real", everything) == 2
    assert choose(np.array([base, noisy, better]), "made", everything) == 2
    assert choose(np.array([base, noisy, better]), "real", [True, True, False]) == 0
    assert choose(np.array([base, noisy, better - 0.3]), "real", [False, False, True]) == 2


def test_cross_validation_chooses_without_the_part_it_counts() -> None:
    """A candidate that beats the default on one part alone is not chosen for that part."""
    values = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 1.0]])
    found = np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert cross_validated(values, found, [True, True]) == 0


def test_intervals_of_few_parts_are_wide() -> None:
    low, high = interval(np.ones(5), 0)
    assert low < 0.6
    assert high == 1
    low, high = interval(np.array([1.0, 0, 1, 0, 1]), 0)
    assert low < 0.4
    assert high > 0.8


def test_a_single_look_is_scored_as_it_is_and_joins_on_the_scale_of_good_images() -> None:
    random = np.random.default_rng(0)
    maps = [random.normal(10 * scale, scale, (20, 4, 5)).astype(np.float32) for scale in (1, 50)]
    looks = {
        name: MeasuredLook(each, each[:3], each[:2] * 2, 1, 1)
        for name, each in zip(("64:2+3", "32:2+3"), maps, strict=True)
    }
    np.testing.assert_allclose(scored(Candidate(("64:2+3",)), looks).good_N, maps[0].max(axis=(1, 2)), rtol=1e-6)
    joined = scored(Candidate(("64:2+3", "32:2+3"), "mean"), looks).good_N
    said = [each.max(axis=(1, 2)) + OVERALL * each.mean(axis=(1, 2)) for each in maps]
    large, small = [(each - each.mean()) / each.std() for each in said]
    wanted = (2 * large + small) / 3
    np.testing.assert_allclose(joined, wanted, rtol=1e-3, atol=1e-3)


def test_defects_that_are_given_are_what_the_choice_rests_on(good: list[Array], defective: list[Array]) -> None:
    tuned = blemish.tune(good, defective, progress=False)
    assert tuned.evidence == "real"
    assert repr(tuned) == f"Tuned({tuned.chosen}, the best of {len(tuned.measured)} by real defects)"
    assert (tuned.good, tuned.defective) == (12, 4)
    for each in tuned.measured:
        assert each.found is not None
        assert each.found_interval is not None
        assert each.found_interval[0] <= each.found <= each.found_interval[1]
        assert each.ms > 0
    assert json.loads(json.dumps(tuned.to_dict()))["chosen"]["looks"] == list(tuned.chosen.looks)


def test_what_is_wrong_with_defective_images_is_told_before_anything_is_measured(
    good: list[Array], defective: list[Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: object) -> None:
        raise AssertionError("minutes of work")

    monkeypatch.setattr(run, "measure", measured)
    (tmp_path / "cut.png").write_bytes(b"cut")
    (tmp_path / "none.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"(?s)2 of 6 images cannot be read: .*cut\.png.*none\.png"):
        blemish.tune(good, [*defective, tmp_path / "cut.png", tmp_path / "none.png"], progress=False)
    save_image(tmp_path / "ng.png", good[3])
    with pytest.raises(DataError, match=r"1 of the 5 defective images are among the good ones too, such as .*ng\.png"):
        blemish.tune(good, [*defective, tmp_path / "ng.png"], progress=False)
    with pytest.raises(OptionError, match="1 groups were given for 4 images"):
        blemish.tune(good, defective, defective_groups=["a"], progress=False)


def test_pictures_of_one_defective_part_count_once(good: list[Array], defective: list[Array]) -> None:
    tuned = blemish.tune(good, defective, defective_groups=["a", "a", "a", "a"], progress=False)
    assert tuned.found_by_choice is None
    assert blemish.tune(good, defective, progress=False).found_by_choice is not None


def test_without_defects_it_makes_some_and_says_so(good: list[Array]) -> None:
    tuned = blemish.tune(good, progress=False)
    assert tuned.evidence == "made"
    assert all(each.found is None and set(KINDS) | set(SIZES) <= set(each.made_by) for each in tuned.measured)
    assert "made defects" in tuned.recipe()


def test_a_budget_keeps_to_what_is_fast_enough(good: list[Array]) -> None:
    with pytest.raises(OptionError, match=r"No looks keep to 0\.0001 ms an image"):
        blemish.tune(good, budget=0.0001, progress=False)
    with pytest.raises(OptionError, match="give milliseconds above 0"):
        blemish.tune(good, budget=0, progress=False)


def test_a_stopped_run_goes_on_from_its_state(
    good: list[Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "part.state"
    measured: list[list[str]] = []

    def stopping(job: Job, family: list[str]) -> dict[str, MeasuredLook]:
        if measured:
            raise KeyboardInterrupt
        measured.append(family)
        return measure(job, family)

    monkeypatch.setattr(run, "measure", stopping)
    with pytest.raises(KeyboardInterrupt):
        blemish.tune(good, state=state, progress=False)
    assert state.exists()

    def counting(job: Job, family: list[str]) -> dict[str, MeasuredLook]:
        measured.append(family)
        return measure(job, family)

    monkeypatch.setattr(run, "measure", counting)
    resumed = blemish.tune(good, state=state, progress=False)
    assert measured == [["64:2+3"], ["32:2+3:even"]]
    assert not state.exists()
    at_once = blemish.tune(good, progress=False)
    assert [each.made_by for each in resumed.measured] == [each.made_by for each in at_once.measured]


def test_a_state_of_other_images_is_begun_anew_and_a_foreign_file_is_refused(tmp_path: Path) -> None:
    maps = np.ones((2, 3, 3), np.float32)
    Progressed(tmp_path / "a", "one").add({"64:2+3": MeasuredLook(maps, maps, maps, 1.5, 2.5)})
    again = Progressed(tmp_path / "a", "one").looks["64:2+3"]
    assert (again.network_ms, again.search_ms) == (1.5, 2.5)
    assert Progressed(tmp_path / "a", "two").looks == {}
    (tmp_path / "b").write_text("notes")
    with pytest.raises(DataError, match="not a state of tune"):
        Progressed(tmp_path / "b", "one")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"size": 96}, "Option size cannot be used with tune"), ({"method": "padim"}, "for the method patchcore")],
)
def test_options_that_it_chooses_are_refused(
    good: list[Array], options: dict[str, object], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(OptionError, match=sentence):
        blemish.tune(good, progress=False, **options)  # type: ignore[arg-type]


def test_too_few_images_are_a_sentence(good: list[Array]) -> None:
    with pytest.raises(DataError, match="3 good images are too few"):
        blemish.tune(good[:3], progress=False)
    with pytest.raises(DataError, match="3 good images are too few"):  # before any is read
        blemish.tune([np.zeros((0, 3))] * 3, progress=False)
    with pytest.raises(DataError, match="No defective images were given"):
        blemish.tune(good, [], progress=False)


def test_the_command_writes_a_recipe_that_fit_takes(
    good: list[Array], defective: list[Array], tmp_path: Path, run_cli: RunCli
) -> None:
    for number, pixels in enumerate(good):
        save_image(tmp_path / "good" / f"{number}.png", pixels)
    for number, pixels in enumerate(defective):
        save_image(tmp_path / "some" / f"{number}.png", pixels)
    recipe = tmp_path / "part.toml"
    outcome = run_cli("tune", tmp_path / "good", "--defective", tmp_path / "some", "-o", recipe, "--json")
    assert outcome.code == 0
    looks = json.loads(outcome.stdout)["chosen"]["looks"]
    assert read_recipe(recipe).fit["looks"] == looks
    assert not (tmp_path / "part.toml.state").exists()
    fitted = run_cli("fit", tmp_path / "good", "-o", tmp_path / "part.blemish", "--config", recipe)
    assert fitted.code == 0
    assert blemish.load(tmp_path / "part.blemish").model.manifest.settings.looks == tuple(looks)
    shown = run_cli("tune", tmp_path / "good", "-o", recipe)
    assert "made defects alone" in shown.stdout
    assert "Measured on 12 good images and 30 made defects." in shown.stdout
    assert "Made is the share" in shown.stdout
    assert "Found is" not in shown.stdout, "nothing stands there"


def test_the_command_says_what_its_table_shows_and_what_comes_next(
    good: list[Array], defective: list[Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: RunCli
) -> None:
    for number, pixels in enumerate(good):
        save_image(tmp_path / "good ones" / "day" / f"{number}.png", pixels)
    for number, pixels in enumerate(defective):
        save_image(tmp_path / "some" / f"{number}.png", pixels)
    config, recipe = tmp_path / "own.toml", tmp_path / "part.toml"
    config.write_text("[fit]\nreview = 0.1\n[inspect]\noverlays = 'drawn'\n", "utf-8")
    monkeypatch.setattr(run, "_costs", lambda candidates, *_: [5.0] + [500.0] * (len(candidates) - 1))
    words = ("tune", tmp_path / "good ones", "--recursive", "--defective", tmp_path / "some", "--config", config)
    shown = run_cli(*words, "-o", recipe, "--budget", "100")
    lines = shown.stdout.splitlines()
    assert sum(line.startswith("*d ") for line in lines) == 1, "the default was chosen"
    assert "1 of 2 take longer than the budget and cannot be chosen." in lines
    made = next(line for line in lines if line.startswith("Made defects that the choice finds: "))
    assert [word.split()[0] for word in made.split(": ")[1].split(", ")] == [*KINDS, *SIZES, *CONTRASTS]
    assert f'blemish fit "{tmp_path / "good ones"}" --recursive -o part.blemish --config {recipe}' in shown.stderr
    assert read_recipe(recipe).inspect == {"overlays": "drawn"}
    assert read_recipe(recipe).fit["review"] == 0.1
    shown = run_cli(*words, "-o", recipe, "--lang", "ja")
    assert "〜" in shown.stdout
    assert " to " not in shown.stdout
