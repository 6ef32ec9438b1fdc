"""Draw the pictures of docs/station.md: a newcomer's first product on real solar cells, then every screen.

PYTHONPATH=tests python scripts/station_pictures.py [--every FOLDER] [--data FOLDER]

Needs Chromium, the built pages (make page) and the extras [browser] and [demo]. With --every, all screens are written
there at every width, light and dark, in English and Japanese: to be looked at, not to be kept. With --data, a station
is kept in that folder, or used again where it is there.
"""

import argparse
import io
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from browsed import browsing, running
from newcomer import FIND, NAME, SPEAK, WIDTHS, first_product, screens, write_cells
from PIL import Image

DOCS = Path(__file__).parent.parent / "docs" / "pictures"
COLOURS = 160
KEPT = {
    ("teach", 768, "light", "en"),
    ("version", 1280, "light", "en"),
    ("line", 1280, "dark", "en"),
    ("result", 1280, "light", "en"),
    ("correct", 1280, "light", "en"),
    ("compare", 1280, "light", "en"),
    ("result", 360, "dark", "ja"),
}
"""What stands in the docs, as pictures/station-NAME-WIDTH-COLOURS-LANGUAGE.png; NOTICE names the cells' licence."""
LABEL = """async (id) => (await fetch(`/api/v1/inspections/${id}/label`, {method: "DELETE"})).status"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=Path, help="write every screen here as well")
    parser.add_argument("--data", type=Path, help="the folder of the station, which is kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        data = given.data or Path(own, "station")
        taught, tried = write_cells(Path(own, "cells"))
        new = not (data / "station.db").exists()
        with running(data) as link, browsing() as (page, _):
            if new:
                first_product(page, link, taught, tried, lambda page, name: None)
                _send(page, link.split("/login")[0], tried)
            else:
                page.goto(link)
            _draw(page, link.split("/login")[0], given.every)


def _send(page: Any, base: str, parts: list[Path]) -> None:
    """Send parts one by one, as the machine of a line does, so that there is a line to show."""
    for path in parts:
        address = f"{base}/api/v1/recipes/{NAME}/inspections?serial={path.stem}"
        assert page.request.post(address, data=path.read_bytes(), headers={"Content-Type": "image/png"}).ok


def _draw(page: Any, base: str, every: Path | None) -> None:
    found = page.evaluate(FIND)
    for id in found[:2]:
        assert page.evaluate(LABEL, id) == 200  # so that the review has something to ask
    wanted = product(screens(found[0]).items(), WIDTHS, ("light", "dark"), ("en", "ja"))
    spoken = ""
    for (name, address), width, colours, lang in sorted(wanted, key=lambda each: each[3]):
        kept = (name, width, colours, lang) in KEPT
        if not kept and every is None:
            continue
        if lang != spoken:
            assert page.evaluate(SPEAK, lang) == 200
            spoken = lang
        page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        page.emulate_media(color_scheme=colours)
        page.goto(base + address, wait_until="load")
        page.wait_for_timeout(1500)  # charts, pictures on demand, what the doctor says
        shot = page.screenshot(full_page=name not in ("line", "review"))
        for folder in (DOCS if kept else None, every):
            if folder is not None:
                _write(shot, folder / f"station-{name}-{width}-{colours}-{lang}.png")


def _write(shot: bytes, path: Path) -> None:
    """A screenshot with few colours, which is a third of its size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
