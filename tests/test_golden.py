"""Model files of every format so far, kept so that they can always be read."""

import json
from pathlib import Path

import pytest
from parts import good_part, scratched_part

import blemish
from blemish.memory.store import FORMAT

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("version", range(1, FORMAT + 1))
def test_a_kept_model_file_still_gives_its_scores(version: int) -> None:
    detector = blemish.load(FOLDER / f"format-{version}.blemish")
    expected = json.loads((FOLDER / f"format-{version}.json").read_text(encoding="utf-8"))
    good = [detector.inspect(good_part(seed)).score for seed in (10, 11)]
    defective = [detector.inspect(scratched_part(seed).grey).score for seed in (10, 11)]
    # Processors round the network differently in the last digits; nothing else may move.
    assert good == pytest.approx(expected["good"], rel=1e-4)
    assert defective == pytest.approx(expected["defective"], rel=1e-4)
    assert min(defective) > max(good)
