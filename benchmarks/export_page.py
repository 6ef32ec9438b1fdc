"""The time of the page of an export in Chromium, an image on one core, and the size of its folder.

PYTHONPATH=tests BLEMISH_ORT_WEB=.venv/onnxruntime-web python benchmarks/export_page.py --keep

Images are those of Magnetic Tile, banks real patches drawn at random: time is asked, not detection. The page is not
isolated, so WebAssembly computes on one thread. Each time is wall time from the decoded picture to score, map and
nearest rows, resizing included, as the page shows it; the first image is not counted. Beside it, by one thread on the
same images, the processor time of the model itself.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from chromium import CHROMIUM
from export import FITTED, ROWS, SEED, TIMED, seconds, with_rows
from machine import Spread, data_folder, figure, markdown_table, publish
from other_readers import RUNTIME, page_says

from blemish.detector import Detector
from blemish.export.exporting import export_bytes
from blemish.export.web import write_web
from blemish.fitting import fit

PROBE = """<!doctype html><script type="module">
import { judge, load } from "./reader.js";
const model = await load(document.baseURI), times = [];
for (const name of location.hash.slice(1).split(","))
  times.push((await judge(model, await (await fetch(name)).blob())).milliseconds);
await fetch("/result", { method: "POST", body: JSON.stringify({ times }) });
</script>"""


def row(detector: Detector, rows: int, images: list[Path]) -> list[str]:
    """One line of the table."""
    model = with_rows(detector, images[: max(1, rows // 400)], rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write_web(folder, Path(RUNTIME), export_bytes(model.model))
        (folder / "probe.html").write_text(PROBE, encoding="utf-8")
        names = [f"{number}{path.suffix}" for number, path in enumerate(images[-TIMED:])]
        for path, copy in zip(images[-TIMED:], names, strict=True):
            shutil.copyfile(path, folder / copy)
        said, _ = page_says(folder, "probe.html", names, folder / "profile", 600)
    ours = Spread.of(1000 * seconds(model.inspect, path) for path in images[-TIMED:])
    return [f"{rows:,}", str(Spread.of(said["times"][1:])), str(ours), figure(size / 1e6)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the result")
    arguments = parser.parse_args()
    if CHROMIUM is None or not RUNTIME:
        raise SystemExit("This needs Chromium, and in BLEMISH_ORT_WEB the folder dist of the package onnxruntime-web.")
    images = sorted((data_folder() / "mtd").glob("MT_Free/Imgs/*.jpg"))
    np.random.default_rng(SEED).shuffle(images)
    detector = fit(images[:FITTED], threads=1, progress=False, effort="quick", coreset=100)
    header = ["rows of the bank", "page, ms", "model, ms", "page and model, MB"]
    table = markdown_table(header, [row(detector, rows, images) for rows in ROWS])
    publish("export_page", f"{__doc__}\n{table}", seed=SEED, keep=arguments.keep)


if __name__ == "__main__":
    main()
