"""What happens to people at a real browser: keys that are held, files dropped twice, a station that starts again."""

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsed import BUILT, Heard, browsing, wider_than_the_screen
from chromium import CHROMIUM
from parts import good_part, scratched_part
from station_bench import API, Bench, encoded, opened

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="needs pip install 'blemish[browser]'"),
    pytest.mark.skipif(not BUILT.is_file(), reason="the pages are not built (make page)"),
]
OLD = "The station does not answer: what is shown here is old."


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station") / "data") as bench:
        bench.taught("part", model)
        for seed in (101, 102, 103):
            assert bench.inspect("part", encoded(scratched_part(seed).grey), serial=f"S {seed}")["verdict"] == "NG"
        bench.station.flush()
        yield bench


@pytest.fixture
def browser(bench: Bench) -> Iterator[tuple[Any, Heard, str]]:
    with browsing() as (page, heard):
        base = f"http://127.0.0.1:{bench.port}"
        page.goto(f"{base}/login/once?secret={bench.station.new_login_link()}")
        page.set_default_timeout(30_000)
        yield page, heard, base


def _pictures(folder: Path, count: int, first: int) -> list[str]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"good-{number:03}.png" for number in range(first, first + count)]
    for number, path in enumerate(paths):
        path.write_bytes(encoded(good_part(first + number)))
    return [str(path) for path in paths]


def test_a_key_that_is_held_answers_one_part(bench: Bench, browser: tuple[Any, Heard, str]) -> None:
    """A hand that rested on G called every part of the queue good."""
    page, _, base = browser
    page.goto(f"{base}/review")
    for _ in range(4):  # a key that is down already repeats
        page.keyboard.down("g")
    page.keyboard.up("g")
    page.get_by_text("2 of 3, 1 answered").wait_for()
    page.keyboard.press("z")
    page.get_by_text("1 of 3, 0 answered").wait_for()
    page.goto(base + page.locator(".more").get_attribute("href"))
    for _ in range(2):
        page.keyboard.down("g")
    page.keyboard.up("g")
    page.get_by_text("Kept.").wait_for()
    page.wait_for_timeout(300)
    assert page.locator("button[value=good]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("g")
    page.get_by_text("Taken back.").wait_for()


def test_at_the_end_of_the_queue_there_is_a_way_to_the_parts_that_came_meanwhile(
    browser: tuple[Any, Heard, str],
) -> None:
    page, _, base = browser
    page.goto(f"{base}/review")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.get_by_text("That was the last one.").wait_for()
    page.get_by_role("link", name="Look for more").click()
    page.get_by_text("1 of 3, 0 answered").wait_for()


def test_what_is_dropped_while_other_pictures_are_sent_arrives_as_well(
    bench: Bench, browser: tuple[Any, Heard, str], tmp_path: Path
) -> None:
    """The page was loaded again when the first ones had arrived, and the rest was lost without a word."""
    page, _, base = browser
    bench.recipe("twice")

    def slowly(route: Any) -> None:
        time.sleep(0.4)
        route.continue_()

    page.route("**/recipes/twice/images", slowly)
    page.goto(f"{base}/recipes/twice/teach")
    for first in (0, 50):
        page.locator("picture-drop input[type=file]").set_input_files(_pictures(tmp_path / "good", 15, first))
    page.get_by_text("30 pictures", exact=True).wait_for()


def test_one_picture_that_cannot_be_tried_does_not_stop_the_rest(
    bench: Bench, browser: tuple[Any, Heard, str], tmp_path: Path
) -> None:
    page, heard, base = browser
    page.goto(f"{base}/recipes/part/versions/1")
    busy = '{"detail": "The call is larger than the station takes"}'
    page.route("**/inspections:batch*", lambda route: route.fulfill(status=413, body=busy), times=1)
    page.locator("try-out input[type=file]").set_input_files(_pictures(tmp_path / "tried", 3, 70))
    page.get_by_text("3 of 3 judged").wait_for()
    assert page.locator(".tried li").count() == 3
    assert page.locator(".tried .warning").inner_text() == "The call is larger than the station takes"
    assert [each for each in heard.errors if "413" not in each] == []
    kinds = [each["kind"] for each in bench.admin.get(f"{API}/inspections", params={"limit": 3}).json()["items"]]
    assert kinds == ["try", "try", "api"], "they are none of the line's parts"


def test_the_line_says_that_the_station_is_silent_and_goes_on_when_it_is_back(
    bench: Bench, browser: tuple[Any, Heard, str]
) -> None:
    """A proxy answers 502 while the station starts again: a browser never listened again, and said nothing."""
    page, _, base = browser
    away = {"status": 502, "content_type": "text/html", "body": "<html>Bad Gateway</html>"}
    for address in ("**/api/v1/events", "**/line"):
        page.route(address, lambda route: route.fulfill(**away))
    page.goto(base)
    page.get_by_text(OLD).wait_for()
    assert page.locator(".tile").count() > 0
    assert "Bad Gateway" not in page.content(), "what the proxy says is no part of the page"
    page.unroute_all()
    page.get_by_text(OLD).wait_for(state="hidden")
    bench.inspect("part", encoded(good_part(104)), serial="S 104")
    page.get_by_text("S 104", exact=True).wait_for()


def test_a_panel_whose_session_has_ended_asks_to_log_in(bench: Bench, browser: tuple[Any, Heard, str]) -> None:
    page, _, base = browser
    page.goto(base)
    page.locator(".tile").first.wait_for()
    bench.station.store.write(lambda connection: connection.execute("DELETE FROM session"))
    bench.inspect("part", encoded(good_part(105)), serial="S 105")
    page.wait_for_url(lambda url: url.endswith("/login?next=/"))
    assert page.locator("header").count() == 1, "the form stands alone, not in a part of the page"


def test_how_long_ago_is_told_by_the_clock_of_the_station(bench: Bench, browser: tuple[Any, Heard, str]) -> None:
    """The clock of a panel was an hour ahead: every verdict was grey, and an hour old."""
    page, _, base = browser
    page.add_init_script("const right = Date.now; Date.now = () => right() + 3_600_000;")
    bench.inspect("part", encoded(good_part(106)), serial="S 106")
    page.goto(base)
    page.get_by_text("S 106", exact=True).wait_for()
    assert "s ago" in page.locator("seconds-ago").inner_text()
    assert page.locator(".tile.old").count() == 0


def test_the_history_offers_the_versions_of_the_recipe_that_is_chosen(browser: tuple[Any, Heard, str]) -> None:
    page, _, base = browser
    page.goto(f"{base}/history")
    page.get_by_label("Recipe").select_option("part")
    page.get_by_label("Version").select_option("1")
    page.wait_for_url("**version=*")
    assert page.locator("#found tbody tr").count() > 0
    page.get_by_label("Recipe").select_option("")
    page.get_by_label("Version").wait_for(state="detached")
    assert page.locator("#found tbody tr").count() > 0


def test_long_names_make_no_page_wider_than_a_telephone(bench: Bench, browser: tuple[Any, Heard, str]) -> None:
    page, _, base = browser
    title = {"name": "w" * 64, "title": "W" * 200}
    assert bench.admin.post(f"{API}/recipes", json=title).status_code == 201
    long = bench.inspect(
        "part", encoded(scratched_part(107).grey), serial="S" * 200, group="g" * 200, trigger="t" * 200
    )
    note = {"label": "unsure", "note": "n" * 500}
    assert bench.admin.put(f"{long['links']['self']}/label", json=note).status_code == 200
    other = bench.inspect("part", encoded(scratched_part(108).grey), serial="R" * 200)
    page.set_viewport_size({"width": 360, "height": 740})
    addresses = (
        "/",
        "/review",
        f"/results/{long['id']}",
        f"/results/{other['id']}",
        "/settings",
        "/history",
        "/recipes",
    )
    wide = []
    for address in addresses:
        page.goto(base + address)
        page.wait_for_timeout(200)
        wide += [address] if wider_than_the_screen(page) else []
    assert wide == []


def test_a_recipe_is_put_away_and_taken_back_and_the_line_follows(
    bench: Bench, browser: tuple[Any, Heard, str], model: Path
) -> None:
    page, heard, base = browser
    bench.taught("old", model)
    line = page.context.browser.new_page(storage_state=page.context.storage_state())
    line.goto(base)
    tile = line.get_by_role("region", name="old")
    tile.wait_for()
    page.goto(f"{base}/recipes/old/versions")
    yes = page.get_by_role("button", name="Yes, put it away")
    assert yes.is_hidden(), "one click alone puts nothing away"
    page.get_by_text("Put away", exact=True).click()
    yes.click()
    page.get_by_text("This recipe is put away").wait_for()
    tile.wait_for(state="detached")
    page.goto(f"{base}/recipes")
    page.get_by_text("Put away: 1").click()
    page.get_by_role("button", name="Take it back").click()
    page.get_by_text("Put away: 1").wait_for(state="detached")
    tile.wait_for()
    assert heard.errors == []
