"""The page that follows one image names every file it passes, and no file that is not there."""

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import blemish

ROOT = Path(__file__).parent.parent
SOURCE = Path(blemish.__file__).parent
PAGE = (ROOT / "docs" / "follow-one-image.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_/]+\.py)`", PAGE))


@pytest.fixture
def passed(detector: blemish.Detector, folder: Path) -> set[str]:
    """The files of blemish in which a function runs while one image file is inspected."""
    detector.inspect(folder / "line" / "good1.png")
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(SOURCE):
            files.add(path.relative_to(SOURCE).as_posix())

    sys.setprofile(note)
    try:
        detector.inspect(folder / "line" / "scratch.png")
    finally:
        sys.setprofile(None)
    return files


def test_the_page_names_every_file_on_the_way(passed: set[str]) -> None:
    assert {"detector.py", "features/patches.py", "search/exact.py"} <= passed
    assert passed <= NAMED, f"not in docs/follow-one-image.md: {sorted(passed - NAMED)}"


def test_every_file_it_names_is_there() -> None:
    assert [name for name in sorted(NAMED) if not (SOURCE / name).is_file()] == []
