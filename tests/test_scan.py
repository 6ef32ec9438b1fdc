"""Defective images among the good ones are named before they are fitted on."""

import json
from pathlib import Path

import numpy as np
import pytest
from parts import TINY, good_part, save_image, scratched_part, stained_part
from PIL import Image
from scipy import stats
from shell import RunCli

from blemish.calibration.outliers import outlying, outlyingness
from blemish.errors import OptionError
from blemish.scanning import scan


def test_outlyingness_is_the_robust_z_score_of_logarithms() -> None:
    scores = np.random.default_rng(0).lognormal(size=101)
    logs = np.log(scores)
    wanted = (logs - np.median(logs)) / stats.median_abs_deviation(logs, scale="normal")
    np.testing.assert_allclose(outlyingness(scores), wanted, rtol=1e-4)


def test_what_stands_out_comes_highest_first() -> None:
    scores = np.array([10, 11, 9, 10.5, 9.5, 10.2, 40, 9.8, 70, 1.0])
    assert outlying(scores).tolist() == [8, 6]


def test_equal_scores_and_zeros_name_only_what_is_higher() -> None:
    assert outlying(np.full(9, 3.0)).tolist() == []
    assert outlying(np.array([3.0] * 8 + [3.1])).tolist() == [8]
    assert outlying(np.array([0.0] * 8 + [1.0])).tolist() == [8]
    assert outlying(np.zeros(4)).tolist() == []


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
    assert found.outlyingness == sorted(found.outlyingness, reverse=True)
    assert all(result.regions for result in found.suspects)
    assert len(found.detector.model.manifest.images) == 14
    more = scan(mixed, cutoff=1, **TINY)
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
    with pytest.raises(OptionError, match="Scans are made with the method patchcore; differnet"):
        scan(mixed, method="differnet", size=96)
