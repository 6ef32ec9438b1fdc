"""Pictures in forms that no browser shows: the pages ask for them as it can, and machines get them as they came."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tifffile
from parts import good_part, scratched_part
from PIL import Image
from station_bench import API, Bench, encoded, opened

from blemish.arrays import Array
from blemish.service.pages import teaching

BROWSERS = {"image/jpeg", "image/png", "image/bmp", "image/webp", "image/gif"}


def tiff(pixels: Array) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels)
    return file.getvalue()


FORMS = {
    "tif": tiff(good_part(1)),
    "pgm": encoded(good_part(2), ".pgm"),
    "wide.png": encoded(good_part(3).astype(np.uint16) << 4),
    "wide.tif": tiff(good_part(4).astype(np.uint16) << 4),
    "float.tif": tiff(np.where(good_part(5) > 250, np.nan, good_part(5) / np.float32(255)).astype(np.float32)),
    "png": encoded(good_part(6)),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station") / "data") as bench:
        bench.taught("part", model)
        files = [("images", (f"good.{form}", data)) for form, data in FORMS.items()]
        taken = bench.admin.post(f"{API}/recipes/part/images", files=files).json()
        assert {each["state"] for each in taken} == {"added"}, taken
        yield bench


@pytest.fixture(scope="module")
def engineer(bench: Bench) -> httpx.Client:
    return bench.with_role("engineer")


def _seen(client: httpx.Client, page: str) -> dict[str, Array]:
    """The pictures of a page as a browser gets them, by their addresses."""
    answer = client.get(page)
    assert answer.status_code == 200, answer.text
    seen = {}
    for address in re.findall(r'<img [^>]*?src="(/api/[^"]+)"', answer.text):
        picture = client.get(address)
        assert picture.headers["content-type"] in BROWSERS, address
        seen[address] = np.asarray(Image.open(io.BytesIO(picture.content)).convert("L"))
    return seen


def test_every_good_picture_can_be_seen_and_areas_drawn_on_the_first(bench: Bench, engineer: httpx.Client) -> None:
    seen = _seen(engineer, "/recipes/part/teach")
    assert len(seen) == len(FORMS)  # the first one is there twice: areas are drawn on it
    for pixels in seen.values():
        assert pixels.shape == good_part(1).shape
        assert pixels.max() > 100, "12 bits within 16 would be nearly black"


def test_a_tiff_that_was_judged_is_seen_beside_its_heat_and_so_is_the_good_part(
    bench: Bench, engineer: httpx.Client
) -> None:
    files = {"image": ("bad.tif", tiff(scratched_part(7).grey))}
    part = bench.admin.post(f"{API}/recipes/part/inspections", files=files).json()
    assert part["verdict"] == "NG"
    seen = _seen(engineer, f"/results/{part['id']}")
    assert f"{part['links']['image']}?shown=true" in seen
    label = f"{part['links']['self']}/label"
    assert engineer.put(label, json={"label": "good"}).status_code == 200
    assert len(_seen(engineer, "/recipes/part/correct")) == 1


@pytest.mark.parametrize("form", FORMS)
def test_machines_get_a_picture_as_it_came(bench: Bench, form: str) -> None:
    files = {"image": (f"part.{form}", FORMS[form])}
    part = bench.admin.post(f"{API}/recipes/part/inspections", files=files).json()
    assert bench.admin.get(part["links"]["image"]).content == FORMS[form]
    shown = bench.admin.get(part["links"]["image"], params={"shown": True})
    assert (shown.content == FORMS[form]) == (form == "png")


def test_what_cannot_be_decoded_is_shown_as_it_came(bench: Bench) -> None:
    whole = FORMS["tif"]
    part = bench.admin.post(f"{API}/recipes/part/inspections", files={"image": ("cut.tif", whole[: len(whole) // 2])})
    assert part.json()["verdict"] == "ERROR"
    shown = bench.admin.get(part.json()["links"]["image"], params={"shown": True})
    assert shown.status_code == 200
    assert shown.content == whole[: len(whole) // 2]


def test_an_empty_tiff_of_a_huge_size_is_not_decoded_to_be_shown(bench: Bench) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((9000, 9000), np.uint8), compression="zlib")
    part = bench.admin.post(f"{API}/recipes/part/inspections", files={"image": ("bomb.tif", file.getvalue())}).json()
    assert part["verdict"] == "ERROR"
    shown = bench.admin.get(part["links"]["image"], params={"shown": True})
    assert shown.headers["content-type"] == "image/tiff"


def test_a_colour_tiff_keeps_its_colours(bench: Bench) -> None:
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 200
    files = [("images", ("red.tif", tiff(red)))]
    [taken] = bench.admin.post(f"{API}/recipes/part/images", files=files).json()
    shown = bench.admin.get(f"{API}/recipes/part/images/{taken['sha256']}", params={"shown": True})
    redness, _, blue = np.asarray(Image.open(io.BytesIO(shown.content)))[20, 30]
    assert (int(blue), int(redness)) == pytest.approx((0, 200), abs=6)
    assert bench.admin.delete(f"{API}/recipes/part/images/{taken['sha256']}").status_code == 204


def test_the_page_says_where_it_does_not_show_all_good_pictures(
    bench: Bench, engineer: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"These are the first 3 of {len(FORMS)} pictures."
    assert "These are the first" not in engineer.get("/recipes/part/teach").text
    monkeypatch.setattr(teaching, "SHOWN", 3)
    assert said in engineer.get("/recipes/part/teach").text
