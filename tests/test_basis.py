"""In Japanese a report says of the threshold what it says in English: the same kind of sentence, the same figures."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from blemish.calibration.thresholds import Mode, Wanted, set_thresholds
from blemish.reports.words import Words


@pytest.mark.parametrize(
    ("parts", "mode", "asked", "phrase"),
    [
        (80, "cross", {}, "と推定されます"),
        (80, "cross", {"review": 0.1}, "REVIEWまたはNGになる良品は約"),
        (40, "split", {}, "最良の保証"),
        (120, "split", {"false_rejects": 0.05}, "しきい値を超えたものは1個以下です"),
        (120, "split", {"false_rejects": 0.05, "review": 0.2}, "REVIEWまたはNGになる良品は25.0 %以下"),
        (120, "split", {"threshold": 1.75}, "手動で指定"),
    ],
)
def test_both_languages_give_the_same_figures(parts: int, mode: Mode, asked: dict[str, Any], phrase: str) -> None:
    wanted = Wanted(**{"false_rejects": 0.01, "confidence": 0.95, "review": 0.0, **asked})
    scores = np.random.default_rng(0).gamma(9, 0.1, 2 * parts)
    groups = [str(image // 2) for image in range(2 * parts)]
    calibration = set_thresholds(scores, scores, groups, wanted, mode=mode)
    english, japanese = (Words(language).sentence(str(calibration)) for language in ("en", "ja"))
    assert english == str(calibration)
    assert phrase in japanese
    numbers = [Counter(re.findall(r"\d+(?:\.\d+)?", sentence)) for sentence in (english, japanese)]
    assert numbers[0] == numbers[1]
