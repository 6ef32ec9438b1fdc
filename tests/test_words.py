"""The labels of the report, in English and Japanese."""

import re
from pathlib import Path

import pytest

from blemish.errors import OptionError
from blemish.reports import words
from blemish.reports.words import LANGUAGES, WORDS, Words

ROOM = Path(words.__file__).parent
SAME = {"AUPRO", "AUROC"}
"""Labels that are the same word in both languages."""


def test_every_label_is_there_in_every_language() -> None:
    for name, label in WORDS.items():
        assert len(label) == len(LANGUAGES)
        assert all(label), name
        assert name in SAME or re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", label.ja), f"{name} is not Japanese"
        assert label.en.isascii(), name


def test_every_label_that_is_asked_for_is_there_and_the_other_way_round() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in ROOM.glob("*.py") if path.name != "words.py")
    asked = set(re.findall(r"""words\(["']([^"']+)["']\)""", code))
    steps = {"read", "network", "search", "map"}  # asked for by the names of a result's timings
    assert asked - WORDS.keys() == set()
    assert WORDS.keys() - asked - steps == set()


def test_another_language_is_refused() -> None:
    with pytest.raises(OptionError, match='no labels in "fr"; choose en or ja'):
        Words("fr")
