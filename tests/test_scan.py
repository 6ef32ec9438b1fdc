"""Defective images among the good ones are named before they are fitted on."""

import json
from pathlib import Path

import numpy as np
import pytest
from parts import TINY, good_part, save_image, scratched_part, stained_part
from PIL import Image
from shell import RunCli

from blemish.calibration.suspects import CUTOFF, ROWS_CUTOFF, joint_suspicion, suspect_places, suspicion
from blemish.errors import OptionError
from blemish.scanning import scan


def test_suspicion_is_the_excess_in_scales_of_an_exponential_tail() -> None:
    scores = np.random.default_rng(0).exponential(size=100_000)
    # Memoryless: beyond any score the tail has the same scale, here 1.
    np.testing.assert_allclose(suspicion(scores), scores - np.log(1 / 0.3), atol=0.2)
    assert (suspicion(scores) > CUTOFF).mean() == pytest.approx(0.3 * np.exp(-CUTOFF), abs=0.002)


@pytest.mark.parametrize("shift", [0.0, -50.0])
def test_scores_may_have_any_scale_and_sign(shift: float) -> None:
    scores = np.random.default_rng(1).gumbel(size=200)
    np.testing.assert_allclose(suspicion(7 * scores + shift), suspicion(scores), atol=1e-9)


def test_what_stands_out_comes_highest_first() -> None:
    scores = np.append(np.linspace(9, 11, 18), [40.0, 70.0])
    assert suspect_places(suspicion(scores)).tolist() == [19, 18]


def test_equal_scores_and_zeros_name_only_what_is_higher() -> None:
    assert suspect_places(suspicion(np.full(9, 3.0))).tolist() == []
    assert suspect_places(suspicion(np.zeros(4))).tolist() == []
    one = np.array([0.0] * 8 + [1.0])
    assert suspect_places(suspicion(one)).tolist() == []  # a tail of one has no scale to judge it by


def test_scores_or_rows_make_a_suspect() -> None:
    scores, rows = np.linspace(9, 11, 40), np.tile([5.0, 6.0, 7.0, 8.0, 9.0], 8)
    scores[3], rows[7] = 40, 60
    assert suspect_places(joint_suspicion(scores, rows)).tolist() == [3, 7]
    by_rows = joint_suspicion(scores, rows)[7]
    assert by_rows == suspicion(rows, least=1.0)[7] * CUTOFF / ROWS_CUTOFF
    assert (joint_suspicion(scores, rows) >= suspicion(scores)).all()


def test_an_image_that_gave_no_rows_to_be_counted_is_judged_by_its_score() -> None:
    scores, rows = np.linspace(9, 11, 40), np.full(40, 5.0)
    rows[:20] = np.nan
    scores[3] = 40
    assert joint_suspicion(scores, rows).tolist()[:20] == suspicion(scores).tolist()[:20]
    assert suspect_places(joint_suspicion(scores, rows)).tolist() == [3]


def test_a_row_more_is_not_a_defect() -> None:
    """Counts of a small memory are nearly equal: the tail's scale is no smaller than one row would make it."""
    rows = np.array([3.0] * 28 + [4.0] * 11 + [7.0])
    assert suspicion(rows)[-1] > CUTOFF
    assert suspect_places(suspicion(rows, least=1.0)).tolist() == []


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    for seed in range(14):
        save_image(tmp_path / "良品" / f"{seed}.png", good_part(seed))
    save_image(tmp_path / "良品" / "scratch.png", scratched_part(30).grey)
    save_image(tmp_path / "良品" / "stain.png", stained_part(31).grey)
    return tmp_path / "良品"


def test_defects_among_good_parts_are_found_and_leave_the_memory(mixed: Path) -> None:
    found = scan(mixed, **TINY)
    assert {Path(result.path).name for result in found.suspects} == {"scratch.png", "stain.png"}
    assert found.suspicion == sorted(found.suspicion, reverse=True)
    assert all(result.regions for result in found.suspects)
    assert len(found.detector.manifest.images) == 14
    more = scan(mixed, cutoff=0.1, **TINY)
    assert [result.path for result in more.suspects[:2]] == [result.path for result in found.suspects]
    assert len(more.suspects) > 2


def test_the_command_lists_and_draws_them(mixed: Path, tmp_path: Path, run_cli: RunCli) -> None:
    options = ["--size", "96", "--coreset", "60"]
    outcome = run_cli("scan", mixed, "--overlays", tmp_path / "look", *options)
    assert outcome.code == 3
    assert "scratch.png" in outcome.stdout
    assert "2 of 16 images look defective" in outcome.stderr
    drawn = sorted((tmp_path / "look").iterdir())
    assert [path.name for path in drawn] == ["scratch.png.png", "stain.png.png"]
    with Image.open(drawn[0]) as picture:
        assert picture.width == 144
    for name in ("scratch.png", "stain.png"):
        (mixed / name).unlink()
    clean = run_cli("scan", mixed, "--json", *options)
    assert (clean.code, json.loads(clean.stdout)) == (0, [])


def test_other_methods_say_that_they_cannot(mixed: Path) -> None:
    with pytest.raises(OptionError, match="A scan needs the method patchcore; with differnet"):
        scan(mixed, method="differnet", size=96)
