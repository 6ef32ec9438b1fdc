"""SPADE's search beside a straightforward one: the same features, the same answers, in turns.

    BLEMISH_DATA=... python benchmarks/spade.py --output

Magnetic Tile images (published split), built-in network. The straightforward one is what the paper describes in NumPy:
all distances of an image's patches to those of its 50 nearest images, level by level, a block of queries at a time.
Features are counted on neither side.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from machine import Spread, data_folder, figure, markdown_table, publish
from magnetic_tile import thin

from blemish.arrays import Floats
from blemish.data.protocols.magnetic_tile import read_magnetic_tile
from blemish.data.samples import Sample
from blemish.features.patches import Features
from blemish.images.probe import probe_image
from blemish.methods.good_images import GoodImages
from blemish.methods.method import Scores
from blemish.methods.prepare import good_images
from blemish.methods.spade import SPADE
from blemish.options.settings import divide_options
from blemish.scoring.heatmap import anomaly_map, on_grid
from blemish.system.stream import available_threads

BLOCK = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200, help="good images to fit on")
    parser.add_argument("--tests", type=int, default=9, help="images scored in turns")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    task = read_magnetic_tile(data_folder() / "mtd")[0]
    method, graph = SPADE.learn(seen(thin(task.train, arguments.images))).fit()
    assert isinstance(method, SPADE), "SPADE.learn fits SPADE"
    tests = seen(thin(task.test, arguments.tests + 1))
    publish("spade", table(method, turns(method, tests.features(graph))), seed=0, keep=arguments.output)


def seen(samples: Sequence[Sample]) -> GoodImages:
    """These images as SPADE sees them."""
    paths = [sample.path for sample in samples]
    settings, resources = divide_options({"method": "spade"})
    return good_images(paths, [probe_image(path) for path in paths], settings, resources, size_asked=False)


class Turn(NamedTuple):
    """One image, scored by both."""

    ours: float
    """Milliseconds."""
    theirs: float
    difference: float
    """The largest relative one, of the score and of the map's values."""


def turns(method: SPADE, images: Iterable[Features]) -> list[Turn]:
    """Score each image both ways; the first one warms up."""
    found = []
    for features in images:
        ours, answer = timed(partial(method.score, features, threads=available_threads()))
        theirs, other = timed(partial(plainly, method, features))
        assert answer.map_HW is not None
        assert other.map_HW is not None
        difference = max(np.abs(answer.map_HW / other.map_HW - 1).max(), abs(answer.image / other.image - 1))
        found.append(Turn(ours, theirs, float(difference)))
    return found[1:]


def table(method: SPADE, found: Sequence[Turn]) -> str:
    ours, theirs = [turn.ours for turn in found], [turn.theirs for turn in found]
    patches = sum(len(level.image_N) for level in method.levels) // len(method.image_K)
    said = (
        f"{len(method.image_K)} good images, {method.settings.nearest_images} nearest, {patches} patches an image in "
        f"{len(method.levels)} levels; {len(found)} images in turns after one to warm up. Largest relative difference "
        f"of a score or a map's value: {max(turn.difference for turn in found):.2g}."
    )
    rows = [
        ["blemish", str(Spread.of(ours)), "1"],
        ["straightforward", str(Spread.of(theirs)), str(Spread.of_ratios(theirs, ours))],
        ["floor of the straightforward one: its products at the rate of NumPy's sgemm", figure(products(method)), ""],
    ]
    return f"{said}\n\n" + markdown_table(["", "ms an image", "times ours"], rows)


def timed(score: Callable[[], Scores]) -> tuple[float, Scores]:
    """Milliseconds, and the answer."""
    began = time.perf_counter()
    answer = score()
    return 1000 * (time.perf_counter() - began), answer


def plainly(method: SPADE, features: Features) -> Scores:
    """The paper's search, all distances."""
    whole = features["whole"].values_QD.mean(axis=0)
    distances_K = np.linalg.norm(method.vectors_KD - whole, axis=1)
    nearest = np.argsort(distances_K)[: method.settings.nearest_images]
    maps = []
    for number, level in enumerate(method.levels):
        patches = features[f"level{number}"]
        gallery_RD = level.of_images(sorted(method.image_K[nearest]))[0]
        scores_hw = on_grid(all_distances(patches.values_QD, gallery_RD), patches.seen_hw)
        maps.append(anomaly_map(scores_hw, method.transform.height, method.transform.width, 0))
    mean_HW = np.mean(maps, axis=0)
    map_HW = anomaly_map(mean_HW, method.transform.height, method.transform.width, method.settings.sigma)
    return Scores(float(distances_K[nearest].mean()), map_HW)


def all_distances(queries_QD: Floats, gallery_RD: Floats) -> Floats:
    """The smallest distance of each query, from all products."""
    norms_R = np.einsum("rd,rd->r", gallery_RD, gallery_RD)
    smallest = [
        (norms_R - 2 * block @ gallery_RD.T).min(axis=1) + np.einsum("qd,qd->q", block, block)
        for block in np.array_split(queries_QD, -(-len(queries_QD) // BLOCK))
    ]
    return np.asarray(np.sqrt(np.maximum(np.concatenate(smallest), 0)))


def products(method: SPADE) -> float:
    """Milliseconds that the multiplications alone take, of one image's patches with those of its nearest images."""
    side = 1024
    square = np.ones((side, side), np.float32)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        square @ square
        times.append(time.perf_counter() - began)
    rate = side**3 / min(times) / 1000
    images = min(method.settings.nearest_images, len(method.image_K))
    counts = [(len(level.image_N) // len(method.image_K), level.rows_ND.shape[1]) for level in method.levels]
    return float(sum(patches * patches * images * values for patches, values in counts) / rate)


if __name__ == "__main__":
    main()
