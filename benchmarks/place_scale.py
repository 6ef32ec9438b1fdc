"""What the scale of each place brings to standard's looks: what unseen good images score there.

    BLEMISH_DATA=... python benchmarks/place_scale.py --output
    BLEMISH_DATA=... python benchmarks/place_scale.py --sets elpv_poly --seeds 1

- deviations: each cell's score less the mean of good images at this place and over their deviation there, both
  smoothed by three cells.
- ratio: over the mean at this place, smoothed by one cell.
- root: over the square root of the same.

Each stands behind the scale of rows that a fit has. Beside them, what the good images say of such scales: how well
the means of two halves of them agree, and how much of the spread of scores is that of places.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean, pstdev
from typing import TypeAlias

import cv2
import numpy as np
from detection_cell import Cell, image_figures, samples_of, tested
from detection_sets import SETS
from machine import markdown_table, publish
from some_looks import LOOKS, THREADS, fitted

from blemish.arrays import Doubles, Floats, Ints
from blemish.data.samples import Sample
from blemish.detector import Detector
from blemish.features.looks import grid_names
from blemish.features.patches import look
from blemish.methods.look import Look
from blemish.methods.look_scale import OVERALL
from blemish.methods.patchcore import PatchCore, compare
from blemish.scoring.heatmap import anomaly_map, map_score, on_grid

Scores: TypeAlias = list[Floats]
"""Of one image: each look's patch scores on their grid (h x w)."""
Change: TypeAlias = Callable[[Floats], Floats]

FOLDS, MOST_IMAGES = 20, 240


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    judged = [name for name, each in SETS.items() if not each.by_pixels]
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", "?")))
    parser.add_argument("--sets", nargs="+", choices=judged, default=["elpv_poly", "elpv_mono", "bsd", "mtd_disjoint"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="draws of the solar cells")
    parser.add_argument("--thin", type=int, help="fit and test on about so many images only, to try the script")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    rows = []
    for name, seed in product(arguments.sets, arguments.seeds):
        if seed != arguments.seeds[0] and not name.startswith("elpv"):
            continue
        samples = samples_of(Cell(name, {}, seed, arguments.thin), arguments.data)
        rows.append([SETS[name].title, str(seed), *figures(samples, seed)])
        print(*rows[-1], file=sys.stderr, sep=" | ", flush=True)
    body = markdown_table(["set", "draw", *WAYS, "halves agree", "share of places"], rows)
    notes = """Image AUROC in percent of the development half / the report half / all test images, behind it defects
found at 5 % false rejects of all (an oracle). The last two: for each look, the correlation of the mean scores at each
place between two halves of the good images, and the variance of places over that of all scores."""
    publish("place_scale", f"{body}\n\n{notes}", seed=", ".join(map(str, arguments.seeds)), keep=arguments.output)


def figures(samples: Sequence[Sample], seed: int) -> list[str]:
    detector = fitted(samples, LOOKS, seed)
    good = unseen(detector, [sample for sample in samples if sample.split == "train"])
    halves = tested(samples)
    tests = {str(sample.path): scores(detector, sample, _looks(detector)) for sample in halves["all"]}
    row = []
    for way in WAYS.values():
        said = joined(detector, way, good, tests)
        found = [
            image_figures([said[str(each.path)] for each in half], [each.label for each in half])
            for half in halves.values()
        ]
        row.append(" / ".join(f"{each.auroc:.1f}" for each in found) + f"; {found[-1].found:.0f}")
    evidence = [of_places([image[number] for image in good]) for number in range(len(LOOKS))]
    return [*row, *(", ".join(f"{each[n]:.2f}" for each in evidence) for n in (0, 1))]


def unseen(detector: Detector, train: Sequence[Sample]) -> list[Scores]:
    """The scores of good images, each by the banks without the rows of its fold, which divides no part."""
    _, part_N = np.unique([str(sample.group) for sample in train], return_inverse=True)
    found: list[Scores] = []
    some = np.arange(len(train))[:: -(-len(train) // MOST_IMAGES)]
    for fold in range(FOLDS):
        looks = _looks(detector, np.flatnonzero(part_N % FOLDS == fold))
        found += [scores(detector, train[n], looks) for n in some if part_N[n] % FOLDS == fold]
    return found


def scores(detector: Detector, sample: Sample, looks: Sequence[Look]) -> Scores:
    """Over the scale of their nearest rows."""
    features = look(sample.path, detector.viewer, detector.extractors.alone).features
    grids = [features[name] for name in grid_names(len(looks))]
    answers = [compare(own, patches, THREADS).over(own.bank.scale_K) for own, patches in zip(looks, grids, strict=True)]
    return [on_grid(each.scores_Q, patches.seen_hw) for each, patches in zip(answers, grids, strict=True)]


def joined(
    detector: Detector, way: Callable[[Doubles], Change], good: Sequence[Scores], tests: Mapping[str, Scores]
) -> dict[str, float]:
    """What the looks say of each test image together, each on the scale of the good ones."""
    total = dict.fromkeys(tests, 0.0)
    for number, own in enumerate(_looks(detector)):
        stack_Nhw = np.stack([image[number] for image in good]).astype(np.float64)
        change = way(stack_Nhw)
        usual = [_says(detector, own, change(image[number])) for image in good]
        for path, image in tests.items():
            said = _says(detector, own, change(image[number]))
            total[path] += own.weight * (said - fmean(usual)) / pstdev(usual)
    return total


def of_places(scores: Iterable[Floats]) -> tuple[float, float]:
    """How well two halves of good images agree on the places' means, and the share of places in the variance."""
    stack_Nhw = np.stack(list(scores)).astype(np.float64)
    halves = [stack_Nhw[start::2].mean(axis=0).ravel() for start in (0, 1)]
    return float(np.corrcoef(*halves)[0, 1]), float(np.cov(*halves)[0, 1] / stack_Nhw.var())


def _looks(detector: Detector, gone: Ints | None = None) -> Sequence[Look]:
    """Those of the model, perhaps without the rows of some images."""
    method = detector.model.method
    assert isinstance(method, PatchCore), "looks are PatchCore's"
    return (method if gone is None else method.without(gone)).looks


def _says(detector: Detector, own: Look, grid_hw: Floats) -> float:
    """What a look's map says of the image, as where looks are joined (methods/patchcore.py)."""
    transform, sigma = detector.viewer.transform, detector.manifest.settings.sigma
    map_HW = anomaly_map(grid_hw, transform.height // 2, transform.width // 2, sigma * own.reduction / 2)
    return map_score(map_HW, OVERALL)


def _plain(stack_Nhw: Doubles) -> Change:
    return lambda scores_hw: scores_hw


def _deviations(stack_Nhw: Doubles) -> Change:
    mean_hw, squares_hw = (_smooth(each.mean(axis=0), 3) for each in (stack_Nhw, stack_Nhw**2))
    deviation_hw = np.sqrt(np.maximum(squares_hw - mean_hw**2, 1e-9))
    return lambda scores_hw: ((scores_hw - mean_hw) / deviation_hw).astype(np.float32)


def _over_mean(power: float) -> Callable[[Doubles], Change]:
    def way(stack_Nhw: Doubles) -> Change:
        mean_hw = _smooth(stack_Nhw.mean(axis=0), 1)
        scale_hw = (mean_hw / mean_hw.mean()) ** power
        return lambda scores_hw: (scores_hw / scale_hw).astype(np.float32)

    return way


def _smooth(grid_hw: Doubles, cells: float) -> Doubles:
    return np.asarray(cv2.GaussianBlur(grid_hw, (0, 0), cells, borderType=cv2.BORDER_REFLECT), np.float64)


WAYS: dict[str, Callable[[Doubles], Change]] = {
    "plain": _plain,
    "deviations": _deviations,
    "ratio": _over_mean(1),
    "root": _over_mean(0.5),
}


if __name__ == "__main__":
    main()
