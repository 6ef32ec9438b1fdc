"""Defects of 8 x 8 pixels in images of 4000 x 3000: tiles at native resolution beside resizing; and what seams cost.

    BLEMISH_DATA=... python benchmarks/tiling.py --output

Surfaces and defects are those of benchmarks/surfaces.py. Each row runs in a process of its own, whose peak memory is
counted; so do wide and long surfaces, which `--tiles auto` is to fit on and inspect within 2 GB (--sizes: only these).
"""

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import figure, markdown_table, publish
from surfaces import BANDS, DEFECT, MARK, Counts, Set, draw, read_stock

from blemish.arrays import Floats
from blemish.backbones.backbone import load_backbone
from blemish.evaluation.metrics import auroc
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import make_extractor
from blemish.features.tiles import extractor_for
from blemish.fitting import fit
from blemish.images.read import read_image
from blemish.images.tiling import Tiling
from blemish.images.transform import Transform
from blemish.scoring.heatmap import anomaly_map
from blemish.search.exact import ExactSearch
from blemish.system.address import Place

HEIGHT, WIDTH = 3000, 4000
LARGE = ((2000, 8000), (5000, 200))
"""Height and width of the images whose memory is counted."""
MARGINS = (2, 4, 6, 8, 12)
"""Cells of the deepest tap."""
NATIVE: dict[str, Any] = {"tiles": "auto", "coreset": 20_000, "memory": "600MB"}
FINE = NATIVE | {"taps": [1, 2], "patch_size": 1}
"""Patches of 4 x 4 pixels, each for itself: for defects no larger than a patch of the default's."""
ROWS: dict[str, dict[str, Any]] = {
    "resized to 224 x 224 (default)": {},
    "resized to 1024 x 1024": {"size": 1024, "coreset": 5000},
    "--tiles auto": NATIVE,
    "--tiles auto --taps 1,2 --patch-size 1": FINE,
}
TILED = [title for title, options in ROWS.items() if "tiles" in options]
VISIBLE = (2, 3)
"""The bands whose defects stand out more than any good spot of their size may."""
COLUMNS: dict[str, Sequence[int]] = {
    **{f"contrast {low} to {high}": (band,) for band, (low, high) in enumerate(BANDS)},
    f"{BANDS[VISIBLE[0]][0]} and more": VISIBLE,
}


class Row(NamedTuple):
    """What one way of looking gives."""

    scores: list[float]
    hits: list[bool]
    """Whether an image has a defect, and the highest value of its map there."""
    fit_seconds: float
    inspect_seconds: float
    """For each image."""
    peak: int
    """Bytes."""


def main() -> None:
    arguments = parse()
    stock = read_stock()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.keep_images or Path(name)
        others = [draw(folder / f"{size[1]}x{size[0]}", stock, size, Counts(3, 2, 1), arguments.seed) for size in LARGE]
        if arguments.sizes:
            publish("tiling_sizes", large(others), seed=arguments.seed, keep=arguments.output)
            return
        asked = Counts(arguments.good, arguments.line, arguments.each)
        images = draw(folder, stock, (HEIGHT, WIDTH), asked, arguments.seed)
        counts = (
            f"{asked.good} good images to fit on; to inspect {asked.line} good ones, and {asked.defective} with a "
            f"defect of each band of contrast; {WIDTH} x {HEIGHT} pixels each; in tiles, {NATIVE['coreset']:,} patches "
            f"are kept. No 8 x 8 pixels of a good crop stray farther than {MARK} grey levels from the mean."
        )
        body = "\n\n".join([counts, found(images), large(others), seams(images.good[0], images.good[1])])
    publish("tiling", body, seed=arguments.seed, keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=int, default=6, help="images to fit on")
    parser.add_argument("--line", type=int, default=12, help="good images to inspect")
    parser.add_argument("--each", type=int, default=8, help="defective images of each band of contrast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", action="store_true", help="measure wide and long images only")
    parser.add_argument("--keep-images", type=Path, help="draw the images into this folder, to look at them")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def found(images: Set) -> str:
    """Which ways of looking find the defects, by contrast."""
    rows = {title: in_process(images, options) for title, options in ROWS.items()}
    lines = [
        [title, *(in_bands(row, images, bands) for bands in COLUMNS.values()), *costs(row)]
        for title, row in rows.items()
    ]
    said = "Image AUROC by the defect's contrast in grey levels; in brackets how many are where their map is highest."
    return f"{said}\n\n{markdown_table(['', *COLUMNS, 'fit', 'inspect, one image', 'peak memory'], lines)}"


def in_bands(row: Row, images: Set, bands: Sequence[int]) -> str:
    """Image AUROC of the defects of some bands against all good images, and the hits."""
    taken = [number for number, each in enumerate(images.bands) if each is None or each in bands]
    labels = [int(images.bands[number] is not None) for number in taken]
    hits = sum(row.hits[number] for number in taken)
    return f"{100 * auroc([row.scores[number] for number in taken], labels):.1f} % ({hits} of {sum(labels)})"


def large(sets: Sequence[Set]) -> str:
    """What wide and long images cost at native resolution."""
    lines = []
    for images in sets:
        height, width = read_image(images.good[0]).shape
        for title in TILED:
            lines.append([f"{width} x {height}", title, *costs(in_process(images, ROWS[title]))])
    header = ["", "", "fit", "inspect, one image", "peak memory"]
    return f"Other sizes, fitted on {len(sets[0].good)} images:\n\n{markdown_table(header, lines)}"


def costs(row: Row) -> list[str]:
    return [f"{row.fit_seconds:.0f} s", f"{row.inspect_seconds:.2f} s", f"{row.peak / 1e6:,.0f} MB"]


def in_process(images: Set, options: dict[str, Any]) -> Row:
    """Measure one way of looking in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, images, options).result()


def measure(images: Set, options: dict[str, Any]) -> Row:
    began = time.perf_counter()
    detector = fit(images.good, folds=2, **options)
    fitted = time.perf_counter()
    scores, hits = [], []
    for result, place in zip(detector.inspect_many(images.tests), images.places, strict=True):
        scores.append(result.score)
        assert result.anomaly_map is not None
        y, x = np.unravel_index(result.anomaly_map.argmax(), result.anomaly_map.shape)
        hits.append(place is not None and bool(max(abs(x - place[0]), abs(y - place[1])) < 3 * DEFECT))
    seconds = (time.perf_counter() - fitted) / len(images.tests)
    return Row(scores, hits, fitted - began, seconds, peak_memory())


def peak_memory() -> int:
    """Bytes that this process has held at most, as Linux counts them; getrusage would count its parent's, too."""
    counted = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert counted
    return int(counted[1]) * 1024


def seams(first: Place, second: Place) -> str:
    """How far tiles change patch distances and the map's peak from those of the whole image at once."""
    height, width, side = 1024, 1280, 512
    images = [np.repeat(read_image(path)[:height, :width, None], 3, axis=2) for path in (first, second)]
    backbone = load_backbone("efficientnet_lite0")
    taps = choose_taps(backbone, [])
    graph = build_graph(backbone, {"patches": Grid(taps)})
    whole = make_extractor(graph, height, width)
    bank, expected = (whole(image)["patches"] for image in images)
    search = ExactSearch(bank.reshape(-1, bank.shape[2])[::10])

    def distances(grid_hwD: Floats) -> Floats:
        return search.query(grid_hwD.reshape(-1, grid_hwD.shape[2]))[0].reshape(grid_hwD.shape[:2])

    def peak(scores_hw: Floats) -> float:
        return float(anomaly_map(scores_hw, height, width, 4.0).max())

    true = distances(expected)
    lines = []
    for cells in MARGINS:
        margin = cells * taps[-1].stride
        tiling = Tiling(side=side, margin=margin, unit=taps[-1].stride)
        transform = Transform(height=height, width=width, resize="stretch", tiling=tiling)
        found = distances(extractor_for(graph, transform)(images[1])["patches"])
        change = np.abs(found - true) / true
        moved = abs(peak(found) - peak(true)) / peak(true)
        lines.append(
            [
                f"{cells} cells, {margin} pixels",
                *(f"{figure(100 * value)} %" for value in (change.max(), change.mean(), moved)),
            ]
        )
    header = ["margin", "largest change of a patch score", "mean change", "change of the image score"]
    return (
        f"Tiles of up to {side} beside {width} x {height} pixels at once, by the margin that is dropped:\n\n"
        f"{markdown_table(header, lines)}\n\nThe default is 8 cells."
    )


if __name__ == "__main__":
    main()
