"""A newcomer's first product in a real browser: nothing is complained of, nothing asked of another host."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from browsed import AXE, BUILT, browsing, faults, running, wider_than_the_screen
from chromium import CHROMIUM
from newcomer import first_product, write_cells

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="needs pip install 'blemish[browser]'"),
    pytest.mark.skipif(not (BUILT.is_file() and AXE.is_file()), reason="the pages are not built (make page)"),
]


def test_a_newcomer_teaches_judges_corrects_and_undoes(tmp_path: Path) -> None:
    taught, tried = write_cells(tmp_path / "cells")
    found: list[str] = []

    def seen(page: Any, name: str) -> None:
        found.extend(faults(page))
        if wider_than_the_screen(page):
            found.append(f"{name} scrolls sideways")

    with running(tmp_path / "station") as link, browsing() as (page, heard):
        first_product(page, link, taught, tried, seen)
    assert (found, heard.errors, heard.abroad) == ([], [], [])
