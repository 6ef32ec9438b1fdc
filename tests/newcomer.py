"""A newcomer's first product: from an empty folder to a corrected model and back, by the pages alone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

GOOD, TRIED, SEED = 24, 10, 0
NAME = "solar-cell"
WIDTHS = {360: 740, 768: 1024, 1280: 800}
"""Of the screen, with its height: a telephone, a tablet, a panel PC."""
SPEAK = """async (lang) => (await fetch("/api/v1/me", {method: "PATCH", body: JSON.stringify({lang}),
  headers: {"Content-Type": "application/json"}})).status"""
FIND = """async () => (await (await fetch("/api/v1/inspections?verdict=NG")).json()).items.map((each) => each.id)"""
Seen = Callable[[Any, str], None]


def screens(result: str) -> dict[str, str]:
    """Every screen by its name, once the first product is made; `result` is the id of a part."""
    recipe = f"/recipes/{NAME}"
    return {
        "line": "/",
        "review": "/review",
        "result": f"/results/{result}",
        "history": f"/history?recipe={NAME}",
        "recipes": "/recipes",
        "teach": f"{recipe}/teach",
        "correct": f"{recipe}/correct",
        "versions": f"{recipe}/versions",
        "compare": f"{recipe}/compare?old=1&new=2",
        "version": f"{recipe}/versions/1",
        "settings": "/settings",
        "audit": "/settings/audit",
        "problem": "/errors/unknown-recipe",
        "login": "/login",
    }


def write_cells(folder: Path) -> tuple[list[Path], list[Path]]:
    """Real solar cells as PNG files: good ones to teach; then unseen ones, half of them good and half defective."""
    from elpv_dataset.utils import load_dataset

    images, defect, kinds = load_dataset()
    order = np.random.default_rng(SEED).permutation(len(images))
    of_kind = [place for place in order if kinds[place] == "mono"]
    good = [place for place in of_kind if defect[place] == 0][: GOOD + TRIED // 2]
    bad = [place for place in of_kind if defect[place] == 1][: TRIED - TRIED // 2]
    folder.mkdir(parents=True, exist_ok=True)

    def written(place: int, name: str) -> Path:
        path = folder / name
        cv2.imwrite(str(path), images[place])
        return path

    taught = [written(place, f"cell-{number:03}.png") for number, place in enumerate(good[:GOOD])]
    tried = [written(place, f"good-{number:02}.png") for number, place in enumerate(good[GOOD:])]
    return taught, tried + [written(place, f"bad-{number:02}.png") for number, place in enumerate(bad)]


def first_product(page: Any, link: str, taught: list[Path], tried: list[Path], seen: Seen) -> None:
    """Log in, teach, put on line, judge, review, correct, see the change, undo; `seen` is told of each screen."""
    base = link.split("/login")[0]
    page.goto(link)
    seen(page, "empty")
    _teach(page, taught, seen)
    _judge(page, tried, seen)
    _review(page, base, seen)
    _correct(page, base, seen)
    with page.expect_navigation():  # else going elsewhere would break off what the button began
        page.get_by_role("button", name="Undo: back to version 1").click()
    page.goto(f"{base}/recipes/{NAME}/versions")
    row = page.locator("tr.on")
    assert "version 1" in row.inner_text(), "undo did not bring version 1 back"
    seen(page, "versions")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="Let both judge the last 1,000 parts").click()
    page.get_by_text("The versions disagree on").wait_for()
    page.wait_for_timeout(500)
    seen(page, "compare")
    for address, name in ((f"/history?recipe={NAME}", "history"), ("/settings", "settings"), ("/", "line")):
        page.goto(base + address)
        page.wait_for_timeout(300)
        seen(page, name)
    page.goto(f"{base}/settings/audit")
    seen(page, "audit")


def _teach(page: Any, taught: list[Path], seen: Seen) -> None:
    page.get_by_role("link", name="Make the first recipe").click()
    page.get_by_label("Name, for machines").fill(NAME)
    page.get_by_label("Title, for people").fill("Solar cell")
    seen(page, "recipes")
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url("**/teach")
    page.locator("picture-drop input[type=file]").set_input_files([str(path) for path in taught])
    page.get_by_text(f"{len(taught)} pictures", exact=True).wait_for()
    page.locator("doctor-says :is(.findings, .fine)").wait_for()
    _draw_area(page)
    page.get_by_text("2.0 %", exact=True).click()
    seen(page, "teach")
    page.get_by_role("button", name=re.compile("^Teach ")).click()
    page.locator("job-progress progress").wait_for()
    page.reload()  # as where the browser was closed meanwhile
    page.locator(":is(job-progress progress, .ready a)").first.wait_for()
    if page.locator(".ready a").count():
        page.locator(".ready a").click()
    page.wait_for_url("**/versions/1")
    seen(page, "version")
    page.get_by_role("button", name="Put on line").click()
    page.locator("h1 .on-line").wait_for()


def _draw_area(page: Any) -> None:
    """Never look at a corner: drawn by the mouse, kept, and taken back again."""
    page.get_by_text("Draw where to look").click()
    page.locator("area-editor svg").scroll_into_view_if_needed()
    box = page.locator("area-editor svg").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 80, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Save areas").click()
    page.locator("area-editor svg .ignore").wait_for()
    page.wait_for_load_state()
    page.locator("area-editor svg .ignore").wait_for()


def _judge(page: Any, tried: list[Path], seen: Seen) -> None:
    page.locator("try-out input[type=file]").set_input_files([str(path) for path in tried])
    page.get_by_text(f"{len(tried)} of {len(tried)} judged").wait_for()
    page.wait_for_timeout(800)  # the pictures of the last parts are kept
    seen(page, "tried")
    certain = page.locator(".tried li", has_text="good-").locator("a", has_text="OK").first.get_attribute("href")
    page.locator(".tried a", has_text="NG").first.click()
    page.wait_for_url("**/results/*")
    page.locator(".layers svg").first.wait_for(state="attached")
    page.wait_for_timeout(500)
    seen(page, "result")
    page.goto(page.url.split("/results")[0] + certain)
    page.get_by_text("Make it a golden picture").click()
    page.get_by_role("button", name="A good part: must never be NG").click()
    page.get_by_text("A golden picture:").wait_for()


def _review(page: Any, base: str, seen: Seen) -> None:
    """By the keyboard alone: what was good is called good, the rest bad; one answer is undone and given again."""
    page.goto(f"{base}/review")
    page.wait_for_timeout(500)
    seen(page, "review")
    place = page.locator(".place")
    total = int(re.search(r"of (\d+)", place.inner_text())[1])  # type: ignore[index]
    for number in range(total):
        name = page.locator(".what").inner_text()
        page.keyboard.press("g" if "good-" in name or number == 0 else "b")
        if number == 0:
            page.keyboard.press("z")
            page.keyboard.press("g")
    page.get_by_text("That was the last one.").wait_for()
    page.wait_for_timeout(500)
    assert page.locator(".unsent").is_hidden()


def _correct(page: Any, base: str, seen: Seen) -> None:
    page.goto(f"{base}/recipes/{NAME}/correct")
    page.get_by_role("button", name=re.compile("^See what teaching")).click()
    page.locator(".preview .promote").wait_for()
    said = page.locator(".preview").inner_text()
    assert "would get another verdict" in said
    assert "The golden picture would be judged rightly." in said
    seen(page, "correct")
    page.locator(".preview .promote").click()
    page.get_by_text("Version 2 is on line").wait_for()
    seen(page, "corrected")
