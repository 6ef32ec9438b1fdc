"""What other metrics of patches bring to standard's looks, fitted and scored with each, look by look.

    BLEMISH_DATA=... python benchmarks/patch_metrics.py --output
    BLEMISH_DATA=... python benchmarks/patch_metrics.py --sets elpv_poly --seeds 1 --metrics root

- whitened: patches times (S d / tr S + 0.1 I)^(-1/4), S the covariance of what good patches differ by from the nearest
  row of a memory of other good images; whitened_fully takes the power -1/2.
- unit: the channels of each level brought to one length.
- root: the signed square root of each channel, as it is usual for descriptors in image retrieval.

A metric is put behind the graph while `blemish.fit` runs, and the test images are scored by what was fitted so.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TypeAlias
from unittest.mock import patch

import numpy as np
from detection_cell import Cell, image_figures, samples_of, tested
from detection_sets import SETS
from machine import markdown_table, publish
from some_looks import LOOKS, THREADS, fitted, says

from blemish.arrays import Array, Doubles, Floats
from blemish.data.samples import Sample
from blemish.detector import Detector
from blemish.features.looks import grid_names
from blemish.features.patches import Extractor, Features, ImagePatches, look
from blemish.memory.coreset import greedy_coreset
from blemish.options.looks import LookOption

Change: TypeAlias = Callable[[Floats], Floats]
"""From patches (any axes, channels last) to patches under another metric."""
Said: TypeAlias = dict[str, list[float]]
"""Of one image, by metric: what each look says."""

WEIGHTS = [LookOption.parse(written).side for written in LOOKS]
"""How much each look counts where they are joined, as in a fit."""
FIRST_LEVEL = {152: 40, 432: 112}
"""Channels of the first of two levels, by those of both."""
MOST_IMAGES, MOST_PATCHES, ROWS = 400, 60_000, 1500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    judged = [name for name, each in SETS.items() if not each.by_pixels]
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", "?")))
    parser.add_argument("--sets", nargs="+", choices=judged, default=["elpv_poly", "elpv_mono", "bsd", "mtd_disjoint"])
    parser.add_argument("--metrics", nargs="+", choices=list(METRICS), default=list(METRICS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--thin", type=int, help="fit and test on about so many images only, to try the script")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    rows: list[list[str]] = []
    for name, seed in product(arguments.sets, arguments.seeds):
        samples = samples_of(Cell(name, {}, seed, arguments.thin), arguments.data)
        said = scores(samples, arguments.metrics, seed)
        rows += [[SETS[name].title, str(seed), *row] for row in table(samples, said)]
        print(*rows[-1], file=sys.stderr, sep=" | ", flush=True)
    body = markdown_table(["set", "seed", "metric", "joined", *LOOKS], rows)
    notes = """Image AUROC in percent of the development half / the report half / all test images, behind it defects
found at 5 % false rejects of all (an oracle). "a, b, c" names the metric of each look."""
    publish("patch_metrics", f"{body}\n\n{notes}", seed=", ".join(map(str, arguments.seeds)), keep=arguments.output)


def scores(samples: Sequence[Sample], metrics: Sequence[str], seed: int) -> dict[str, Said]:
    """What each look says of each test image, under each metric."""
    plain = fitted(samples, LOOKS, seed)
    residuals = residuals_of(plain, [sample for sample in samples if sample.split == "train"])
    changes: dict[str, Mapping[str, Change]] = {"plain": {}}
    changes |= {name: {grid: METRICS[name](found) for grid, found in residuals.items()} for name in metrics}
    detectors = {"plain": plain}
    for name in metrics:
        with behind_the_graph(changes[name]):
            detectors[name] = fitted(samples, LOOKS, seed)
    said: dict[str, Said] = {}
    for sample in tested(samples)["all"]:
        features = look(sample.path, plain.viewer, plain.extractors.alone).features
        said[str(sample.path)] = {
            name: _each_says(detectors[name], {grid: _changed(own, change, grid) for grid, own in features.items()})
            for name, change in changes.items()
        }
    return said


@contextmanager
def behind_the_graph(changes: Mapping[str, Change]) -> Iterator[None]:
    """While the block runs, the grids of every image come changed."""
    honest = Extractor.__call__

    def changed(extractor: Extractor, sized: Array) -> dict[str, Floats]:
        return {name: changes.get(name, _same)(grid) for name, grid in honest(extractor, sized).items()}

    with patch.object(Extractor, "__call__", changed):
        yield


def residuals_of(detector: Detector, train: Sequence[Sample]) -> dict[str, Doubles]:
    """Of each look, the covariance of good patches' differences from the nearest row of a memory of other images."""
    grids = grid_names(len(LOOKS))
    halves: tuple[dict[str, list[Floats]], ...] = ({grid: [] for grid in grids}, {grid: [] for grid in grids})
    random = np.random.default_rng(0)
    for number, index in enumerate(random.permutation(len(train))[:MOST_IMAGES]):
        features = look(train[index].path, detector.viewer, detector.extractors.alone).features
        for grid in grids:
            halves[number % 2][grid].append(_some(features[grid].values_QD, 2 * MOST_PATCHES // len(train), random))
    return {
        grid: np.asarray(
            np.mean([_covariance(a[grid], b[grid]) for a, b in (halves, halves[::-1])], axis=0), np.float64
        )
        for grid in grids
    }


def _covariance(known: Sequence[Floats], others: Sequence[Floats]) -> Doubles:
    known_ND, others_QD = np.concatenate(known), np.concatenate(others)
    rows_RD = known_ND[greedy_coreset(known_ND, ROWS, threads=THREADS).indices]
    half_norms_R = (rows_RD**2).sum(axis=1) / 2
    nearest = [(half_norms_R - part_QD @ rows_RD.T).argmin(axis=1) for part_QD in np.array_split(others_QD, 20)]
    differences_QD = (others_QD - rows_RD[np.concatenate(nearest)]).astype(np.float64)
    return np.asarray(differences_QD.T @ differences_QD / len(differences_QD))


def _some(values_QD: Floats, most: int, random: np.random.Generator) -> Floats:
    return values_QD[random.permutation(len(values_QD))[: max(most, 1)]]


def whitening(covariance_DD: Doubles, power: float) -> Change:
    share_DD = covariance_DD / (np.trace(covariance_DD) / len(covariance_DD)) + 0.1 * np.eye(len(covariance_DD))
    values, vectors = np.linalg.eigh(share_DD)
    matrix_DD = ((vectors * values**-power) @ vectors.T).astype(np.float32)
    return lambda patches: patches @ matrix_DD


def unit(patches: Floats) -> Floats:
    cut = FIRST_LEVEL[patches.shape[-1]]
    levels = patches[..., :cut], patches[..., cut:]
    lengths = [np.maximum(np.linalg.norm(level, axis=-1, keepdims=True), 1e-6) for level in levels]
    return np.concatenate([level / length for level, length in zip(levels, lengths, strict=True)], axis=-1)


def root(patches: Floats) -> Floats:
    return np.sign(patches) * np.sqrt(np.abs(patches))


def _same(patches: Floats) -> Floats:
    return patches


METRICS: dict[str, Callable[[Doubles], Change]] = {
    "whitened": lambda covariance_DD: whitening(covariance_DD, 0.25),
    "whitened_fully": lambda covariance_DD: whitening(covariance_DD, 0.5),
    "unit": lambda _: unit,
    "root": lambda _: root,
}


def _changed(patches: ImagePatches, changes: Mapping[str, Change], grid: str) -> ImagePatches:
    return ImagePatches(changes.get(grid, _same)(patches.values_QD), patches.seen_hw)


def _each_says(detector: Detector, features: Features) -> list[float]:
    return [says(detector, features, [number]) for number in range(len(LOOKS))]


def table(samples: Sequence[Sample], said: Mapping[str, Said]) -> list[list[str]]:
    """A row for each metric, and for roots in some looks only."""
    names = list(next(iter(said.values())))
    ways: dict[str, tuple[str, ...]] = {name: (name,) * len(LOOKS) for name in names}
    if "root" in names:
        ways |= {", ".join(way): way for way in (("root", "root", "plain"), ("root", "plain", "plain"))}
    halves = tested(samples)
    return [
        [
            title,
            _figures(halves, said, way, WEIGHTS),
            *(_figures(halves, said, way, np.eye(len(LOOKS))[number]) for number in range(len(LOOKS))),
        ]
        for title, way in ways.items()
    ]


def _figures(
    halves: Mapping[str, Sequence[Sample]],
    said: Mapping[str, Said],
    way: Sequence[str],
    weights: Sequence[float] | Doubles,
) -> str:
    found = []
    for half in halves.values():
        each = [said[str(sample.path)] for sample in half]
        joined = [sum(w * one[way[n]][n] for n, w in enumerate(weights)) for one in each]
        found.append(image_figures(joined, [sample.label for sample in half]))
    return " / ".join(f"{each.auroc:.1f}" for each in found) + f"; {found[-1].found:.0f}"


if __name__ == "__main__":
    main()
