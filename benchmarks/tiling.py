"""Defects of 8 x 8 pixels in images of 4000 x 3000: tiles at native resolution beside resizing; and what seams cost.

    BLEMISH_DATA=... python benchmarks/tiling.py --output

The surfaces are mosaics of good Magnetic Tile images: the calmest eighth of them, so that together they look like one
product, crops brought to one brightness and feathered into each other; other tiles for fitting than for testing. The
defects are real ones of the same data set (blowholes, breaks, cracks and frays; uneven brightness is no local
defect), cut out by their masks, shrunk to 8 x 8 pixels and laid over the surface by the shrunk mask, at the contrast
they have. Each row runs in a process of its own, whose peak memory is counted.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from machine import data_folder, figure, markdown_table, publish
from PIL import Image

from blemish.arrays import Bytes, Floats
from blemish.evaluate.metrics import auroc
from blemish.evaluate.protocols.magnetic_tile import read_magnetic_tile
from blemish.features.backbone import load_backbone
from blemish.features.extract import make_extractor
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.tiles import extractor_for
from blemish.fitting import fit
from blemish.images.read import read_image
from blemish.images.samples import Sample, read_mask
from blemish.images.transform import Tiling, Transform
from blemish.scoring.heatmap import anomaly_map
from blemish.search.exact import ExactSearch

HEIGHT, WIDTH = 3000, 4000
CROP, FEATHER = 192, 32
DEFECT = 8
LOCAL = {"MT_Blowhole", "MT_Break", "MT_Crack", "MT_Fray"}
MARGINS = (2, 4, 6, 8, 12)
"""Cells of the deepest tap."""
ROWS: dict[str, dict[str, Any]] = {
    "resized to 224 x 224 (default)": {},
    "resized to 1024 x 1024": {"size": 1024, "coreset": 5000},
    "tiles at native resolution": {"tiles": "auto", "coreset": 5000, "memory": "1GB"},
}


class Row(NamedTuple):
    """What one way of looking gives."""

    scores: list[float]
    hits: int
    """Defects whose place has the highest value of its map."""
    fit_seconds: float
    inspect_seconds: float
    """For each image."""
    peak: int
    """Bytes."""


def main() -> None:
    arguments = parse()
    random = np.random.default_rng(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.keep_images or Path(name)
        good, tests, places = draw(folder, arguments, random)
        rows = {title: in_process(good, tests, places, options) for title, options in ROWS.items()}
    labels = [int(place is not None) for place in places]
    lines = [
        [
            title,
            f"{100 * auroc(row.scores, labels):.1f} %",
            f"{row.hits} of {sum(labels)}",
            f"{row.fit_seconds:.0f} s",
            f"{row.inspect_seconds:.2f} s",
            f"{row.peak / 1e6:,.0f} MB",
        ]
        for title, row in rows.items()
    ]
    header = ["", "image AUROC", "defects at the map's peak", "fit", "inspect, one image", "peak memory"]
    counts = f"{len(good)} good images to fit on, {labels.count(0)} good and {sum(labels)} defective ones to inspect"
    body = f"{counts}, {WIDTH} x {HEIGHT} pixels each.\n\n{markdown_table(header, lines)}\n\n{seams(good[0], good[1])}"
    publish("tiling", body, seed=arguments.seed, keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=int, default=6, help="images to fit on")
    parser.add_argument("--each", type=int, default=12, help="good, and defective, images to inspect")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep-images", type=Path, help="draw the images into this folder, to look at them")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def draw(
    folder: Path, arguments: argparse.Namespace, random: np.random.Generator
) -> tuple[list[Path], list[Path], list[tuple[int, int] | None]]:
    """Write the images: to fit on, to inspect, and where (x, y) each of the latter has its defect."""
    disjoint = read_magnetic_tile(data_folder() / "mtd")[-1]
    fit_tiles = calmest([sample.path for sample in disjoint.train])
    test_tiles = calmest([sample.path for sample in disjoint.test if not sample.label])
    defects = [sample for sample in disjoint.test if sample.path.parts[-3] in LOCAL]
    good = [save(folder / "good" / f"{n}.png", surface(fit_tiles, random)) for n in range(arguments.good)]
    tests: list[Path] = []
    places: list[tuple[int, int] | None] = []
    for number in range(2 * arguments.each):
        image, place = surface(test_tiles, random), None
        if number >= arguments.each:
            place = int(random.integers(100, WIDTH - 100)), int(random.integers(100, HEIGHT - 100))
            paste(image, defects[int(random.integers(len(defects)))], *place)
        tests.append(save(folder / "line" / f"{number:02}.png", image))
        places.append(place)
    return good, tests, places


def calmest(paths: Sequence[Path]) -> list[Floats]:
    """The eighth of good tiles that vary least, without their slow shading, at mean 128."""
    tiles = sorted((flat(path) for path in paths), key=lambda tile: float(tile.std()))
    return tiles[: len(tiles) // 8]


def flat(path: Path) -> Floats:
    grey = read_image(path).astype(np.float32)
    below, right = (max(0, CROP - side) for side in grey.shape)
    grey = np.pad(grey, ((0, below), (0, right)), mode="reflect")
    return np.asarray(128 + grey - cv2.GaussianBlur(grey, (0, 0), 24), np.float32)


def surface(tiles: Sequence[Floats], random: np.random.Generator) -> Bytes:
    """A mosaic of crops, mirrored at random, each fading into the next."""
    step = CROP - FEATHER
    total = np.zeros((HEIGHT + CROP, WIDTH + CROP), np.float32)
    weight = np.zeros_like(total)
    ramp = np.minimum(1, np.minimum(np.arange(1, CROP + 1), np.arange(CROP, 0, -1)) / FEATHER).astype(np.float32)
    window = np.outer(ramp, ramp)
    for top in range(0, HEIGHT, step):
        for left in range(0, WIDTH, step):
            tile = tiles[int(random.integers(len(tiles)))]
            y, x = (int(random.integers(side - CROP + 1)) for side in tile.shape)
            part = np.s_[top : top + CROP, left : left + CROP]
            mirrored = tile[y : y + CROP, x : x + CROP][:: random.choice([-1, 1]), :: random.choice([-1, 1])]
            total[part] += window * mirrored
            weight[part] += window
    return np.asarray(np.clip(total / np.maximum(weight, 1e-6), 0, 255)[:HEIGHT, :WIDTH], np.uint8)


def paste(image: Bytes, sample: Sample, x: int, y: int) -> None:
    """Lay a shrunk defect over the image: what it adds to the grey around it, where its mask says so."""
    assert sample.mask is not None
    grey, mask = read_image(sample.path).astype(np.float32), read_mask(sample.mask, sample.mask_cut)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    left, top, width, height = stats[1:][stats[1:, cv2.CC_STAT_AREA].argmax()][:4]
    box = np.s_[top : top + height, left : left + width]
    around = grey[max(0, top - 15) : top + height + 15, max(0, left - 15) : left + width + 15]
    outside = ~mask[max(0, top - 15) : top + height + 15, max(0, left - 15) : left + width + 15]
    added = grey[box] - np.median(around[outside])
    small = cv2.resize(added * mask[box], (DEFECT, DEFECT), interpolation=cv2.INTER_AREA)
    part = np.s_[y : y + DEFECT, x : x + DEFECT]
    image[part] = np.clip(image[part] + small, 0, 255)


def save(path: Path, pixels: Bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)
    return path


def in_process(
    good: Sequence[Path], tests: Sequence[Path], places: Sequence[tuple[int, int] | None], options: dict[str, Any]
) -> Row:
    """Measure one way of looking in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, good, tests, places, options).result()


def measure(
    good: Sequence[Path], tests: Sequence[Path], places: Sequence[tuple[int, int] | None], options: dict[str, Any]
) -> Row:
    began = time.perf_counter()
    detector = fit(good, folds=2, **options)
    fitted = time.perf_counter()
    scores, hits = [], 0
    for result, place in zip(detector.inspect_many(tests), places, strict=True):
        scores.append(result.score)
        assert result.anomaly_map is not None
        y, x = np.unravel_index(result.anomaly_map.argmax(), result.anomaly_map.shape)
        hits += int(place is not None and max(abs(x - place[0]), abs(y - place[1])) < 3 * DEFECT)
    seconds = (time.perf_counter() - fitted) / len(tests)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Row(scores, hits, fitted - began, seconds, peak)


def seams(first: Path, second: Path) -> str:
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
