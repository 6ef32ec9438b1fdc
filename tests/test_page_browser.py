"""A newcomer's first product in a real browser: nothing is complained of, nothing asked of another host."""

import importlib.util
import re
import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from browsed import AXE, BUILT, browsing, faults, running, wider_than_the_screen
from chromium import CHROMIUM
from newcomer import FIND, SPEAK, WIDTHS, Seen, first_product, screens, write_cells
from parts import good_part, scratched_part
from station_bench import Bench, encoded, opened

pytestmark = [
    pytest.mark.long,
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
        began = time.monotonic()
        first_product(page, link, taught, tried, seen)
        print(f"a newcomer's first product, with axe at each screen: {time.monotonic() - began:.0f} s")
        _at_every_width(page, link.split("/login")[0], seen)
    assert (found, heard.errors, heard.abroad) == ([], [], [])


def _at_every_width(page: Any, base: str, seen: Seen) -> None:
    """All screens as a telephone, a tablet and a panel PC show them, light and dark, in both languages."""
    part = page.evaluate(FIND)[0]
    for lang in ("en", "ja"):
        assert page.evaluate(SPEAK, lang) == 200
        for width, colours in product(WIDTHS, ("light", "dark")):
            page.set_viewport_size({"width": width, "height": WIDTHS[width]})
            page.emulate_media(color_scheme=colours)
            for name, address in screens(part).items():
                page.goto(base + address)
                seen(page, f"{name} at {width}, {colours}, {lang}")


def test_where_a_picture_is_gone_a_note_stands_and_the_browser_complains_of_nothing(
    tmp_path: Path, model: Path
) -> None:
    with opened(tmp_path) as bench, browsing() as (page, heard):
        bench.taught("part", model)
        bench.taught("off", model, keep_pictures=False)
        first, second = (bench.inspect("part", encoded(scratched_part(seed).grey))["id"] for seed in (102, 104))
        bench.station.flush()
        gone = "UPDATE inspection SET image_state = 'expired' WHERE id = ?"
        bench.station.store.write(lambda connection: connection.execute(gone, [second]))
        base = f"http://127.0.0.1:{bench.port}"
        page.goto(f"{base}/login/once?secret={bench.station.new_login_link()}")
        page.goto(f"{base}/review")
        assert page.locator(".pair").is_visible()
        page.keyboard.press("ArrowRight")
        page.get_by_text("Its picture is not kept any more.").wait_for()
        assert page.locator(".pair").is_hidden()
        page.goto(f"{base}/results/{second}")
        page.get_by_text("Its picture is not kept any more.").wait_for()
        page.goto(f"{base}/results/{first}")
        page.locator(".layers svg").first.wait_for(state="attached")
        _try(page, bench, base, tmp_path)
    assert (heard.errors, heard.abroad) == ([], [])


def _try(page: Any, bench: Bench, base: str, folder: Path) -> None:
    """Pictures are tried with a recipe that keeps none, and with one whose keeper is late."""
    picture = folder / "tried.png"
    picture.write_bytes(encoded(good_part(101)))
    page.goto(f"{base}/recipes/off/versions/1")
    page.locator("try-out input[type=file]").set_input_files([str(picture)])
    page.get_by_text("Pictures of this recipe are not kept.").wait_for()
    page.goto(f"{base}/recipes/part/versions/1")
    with bench.station.store.pictures.lock:  # the keeper cannot write it yet
        page.locator("try-out input[type=file]").set_input_files([str(picture)])
        page.get_by_text(re.compile("1 of 1")).wait_for()
        page.wait_for_timeout(300)
    drawn = "[...document.querySelectorAll('.tried img')].every((each) => each.naturalWidth > 0)"
    for _ in range(100):  # asked by the debugger each time: the page's own policy lets nothing else evaluate a text
        if page.evaluate(drawn):
            break
        page.wait_for_timeout(100)
    assert page.evaluate(drawn), "a picture that was late never came"


HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""As a browser tells a tab that another one covers it; one without a screen never does."""


def test_eight_tabs_load_and_the_one_that_shows_again_is_up_to_date(tmp_path: Path, model: Path) -> None:
    """A browser has six connections to one host, and an open line held one of them: the seventh tab never loaded."""
    with opened(tmp_path) as bench, browsing() as (page, heard):
        bench.taught("part", model)
        base = f"http://127.0.0.1:{bench.port}"
        browser = page.context.browser.new_context()  # in which tabs share their connections
        tabs = [browser.new_page()]
        tabs[0].goto(f"{base}/login/once?secret={bench.station.new_login_link()}")
        for _ in range(7):
            tabs[-1].locator("live-line").wait_for(state="attached")
            tabs[-1].evaluate(HIDE, True)
            tabs.append(browser.new_page())
            tabs[-1].goto(base, timeout=30_000)
        assert [tab.locator(".tile").count() for tab in tabs] == [1] * 8
        bench.inspect("part", encoded(good_part(101)), serial="S 77")
        tabs[-1].get_by_text("S 77", exact=True).wait_for()
        assert tabs[0].get_by_text("S 77", exact=True).count() == 0, "nobody sees it, so it need not know"
        tabs[0].evaluate(HIDE, False)
        tabs[0].get_by_text("S 77", exact=True).wait_for()
        bench.inspect("part", encoded(good_part(102)), serial="S 78")
        tabs[0].get_by_text("S 78", exact=True).wait_for()
    assert (heard.errors, heard.abroad) == ([], [])
