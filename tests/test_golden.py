"""Model files of every format so far, kept so that they can always be read."""

import json
from pathlib import Path

import pytest
from parts import good_part, scratched_part

import blemish
from blemish.model.manifest import FORMAT

FOLDER = Path(__file__).parent / "golden"


KEPT = sorted(int(path.stem.removeprefix("format-")) for path in FOLDER.glob("format-*.blemish"))


def test_a_file_of_every_format_is_kept() -> None:
    assert [*range(1, FORMAT + 1)] == KEPT, "run tests/golden/make.py once for a new format, and keep the older files"


@pytest.mark.parametrize("version", KEPT)
def test_a_kept_model_file_is_saved_in_the_newest_format(version: int, tmp_path: Path) -> None:
    detector = blemish.load(FOLDER / f"format-{version}.blemish")
    detector.save(tmp_path / "part.blemish")
    again = blemish.load(tmp_path / "part.blemish")
    assert again.info() == detector.info() | {"format": FORMAT}
    assert again.inspect(good_part(10)).score == detector.inspect(good_part(10)).score


@pytest.mark.parametrize("version", KEPT)
def test_a_kept_model_file_still_gives_its_scores(version: int) -> None:
    detector = blemish.load(FOLDER / f"format-{version}.blemish")
    expected = json.loads((FOLDER / f"format-{version}.json").read_text(encoding="utf-8"))
    good = [detector.inspect(good_part(seed)).score for seed in (10, 11)]
    defective = [detector.inspect(scratched_part(seed).grey).score for seed in (10, 11)]
    # Processors round the network differently in the last digits; nothing else may move.
    assert good == pytest.approx(expected["good"], rel=1e-4)
    assert defective == pytest.approx(expected["defective"], rel=1e-4)
    assert min(defective) > max(good)
