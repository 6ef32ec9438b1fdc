"""Parts that lie anyhow: solar cells shifted and turned on a dark table, inspected with and without alignment.

    python benchmarks/alignment.py --output

Real cells of the ELPV data set (package elpv-dataset) are laid on a dark table of one and a half times their size: all
alike, or each moved by up to 8 % of the table and turned by up to 15 degrees at random. The motions are known, so what
alignment finds is compared with them, too.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from machine import figure, markdown_table, publish
from PIL import Image

from blemish.arrays import Bytes, Doubles
from blemish.data.protocols.solar_cells import solar_cells
from blemish.errors import ImageError
from blemish.evaluation.metrics import auroc
from blemish.fitting import fit
from blemish.images.align import Aligner
from blemish.images.read import read_image
from blemish.result import Verdict

TABLE = 450
SHIFT, TURN = 0.08, 15
DARK = 12


class Set(NamedTuple):
    """Images of one way of lying."""

    good: list[Path]
    tests: list[Path]
    labels: list[int]
    motions: list[Doubles]
    """Of the good images, then of the tests."""


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        still = lay_out(Path(name) / "still", arguments, moving=False)
        moving = lay_out(Path(name) / "moving", arguments, moving=True)
        rows = [
            measured("fitted still, inspected still", still, still, "none"),
            measured("fitted still, inspected moved", still, moving, "none"),
            measured("the same, align=rigid", still, moving, "rigid"),
            measured("fitted moved, inspected moved", moving, moving, "none"),
            measured("the same, align=rigid", moving, moving, "rigid"),
        ]
        found = known_motions(moving)
    counts = (
        f"{len(moving.good)} good cells to fit on, {len(moving.labels)} to inspect ({sum(moving.labels)} defective)"
    )
    header = ["", "image AUROC", "good ones rejected", "not found (ERROR)", "inspect, one image"]
    publish(
        "alignment",
        f"{counts}.\n\n{markdown_table(header, rows)}\n\n{found}",
        seed=arguments.seed,
        keep=arguments.output,
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=int, default=60, help="cells to fit on")
    parser.add_argument("--each", type=int, default=40, help="good, and defective, cells to inspect")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def lay_out(folder: Path, arguments: argparse.Namespace, *, moving: bool) -> Set:
    """Draw all images; the first good one lies straight, since all are aligned to it."""
    random = np.random.default_rng(arguments.seed)
    cells = solar_cells()
    functional, defective = (
        random.permutation(np.array(paths, object)) for paths in (cells.functional, cells.defective)
    )
    chosen = [*functional[: arguments.good + arguments.each], *defective[: arguments.each]]
    folder.mkdir()
    paths, motions = [], []
    for number, cell in enumerate(chosen):
        motion = random_motion(random) if moving and number else random_motion(None)
        path = folder / f"{number:03}.png"
        Image.fromarray(laid(read_image(cell), motion)).save(path, compress_level=1)
        paths.append(path)
        motions.append(motion)
    return Set(paths[: arguments.good], paths[arguments.good :], [0] * arguments.each + [1] * arguments.each, motions)


def random_motion(random: np.random.Generator | None) -> Doubles:
    """From where a pixel of the table was to where it is (2 x 3)."""
    degrees, right, down = (
        (0.0, 0.0, 0.0) if random is None else random.uniform(-1, 1, 3) * (TURN, SHIFT * TABLE, SHIFT * TABLE)
    )
    middle = (TABLE - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    return np.asarray(turn + np.array([[0, 0, right], [0, 0, down]]))


def laid(cell: Bytes, motion: Doubles) -> Bytes:
    """A cell in the middle of the table, moved."""
    left, top = (TABLE - cell.shape[1]) / 2, (TABLE - cell.shape[0]) / 2
    place = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
    return np.asarray(cv2.warpAffine(cell, motion @ place, (TABLE, TABLE), borderValue=(DARK,)), np.uint8)


def measured(title: str, fitted_on: Set, inspected: Set, align: str) -> list[str]:
    """Fit and inspect; an image in which the part is not found would be an ERROR, and they are counted."""
    options: dict[str, Any] = {"align": align, "folds": 5}
    detector = fit(fitted_on.good, **options)
    began = time.perf_counter()
    results = list(detector.inspect_many(inspected.tests))
    seconds = (time.perf_counter() - began) / len(results)
    found = [number for number, result in enumerate(results) if result.verdict is not Verdict.ERROR]
    labels, scores = [inspected.labels[n] for n in found], [results[n].score for n in found]
    good = [score for score, label in zip(scores, labels, strict=True) if not label]
    rejected = sum(score > detector.threshold for score in good) / len(good)
    return [
        title,
        f"{100 * auroc(scores, labels):.1f} %",
        f"{100 * rejected:.0f} %",
        str(len(results) - len(found)),
        f"{1000 * seconds:.0f} ms",
    ]


def known_motions(images: Set) -> str:
    """How far the motions found are from the true ones."""
    paths = [*images.good, *images.tests]
    aligner, middle = Aligner.to(read_image(paths[0]), "rigid"), np.array([(TABLE - 1) / 2, (TABLE - 1) / 2, 1])
    pixels, degrees, milliseconds = [], [], []
    for path, true in zip(paths[1:], images.motions[1:], strict=True):
        image = read_image(path)
        began = time.perf_counter()
        try:
            found = aligner(image, path.name)
        except ImageError:
            continue
        milliseconds.append(1000 * (time.perf_counter() - began))
        pixels.append(float(np.linalg.norm((found - true) @ middle)))
        turn = np.degrees(np.arctan2(found[1, 0], found[0, 0]) - np.arctan2(true[1, 0], true[0, 0]))
        degrees.append(float(abs((turn + 180) % 360 - 180)))
    rows = [
        [
            title,
            *(f"{figure(value)} {unit}" for value in (np.median(values), np.quantile(values, 0.99), np.max(values))),
        ]
        for title, values, unit in (
            ("shift of the middle", pixels, "pixels"),
            ("turn", degrees, "degrees"),
            ("time", milliseconds, "ms"),
        )
    ]
    return (
        f"What align=rigid finds, beside the known motion, on {len(pixels)} of {len(paths) - 1} images:\n\n"
        f"{markdown_table(['error', 'median', '99th percentile', 'largest'], rows)}"
    )


if __name__ == "__main__":
    main()
