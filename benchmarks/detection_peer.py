"""anomalib's side of detection.py: the same images, ResNet-18 at 256 px, in its own environment."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from against_anomalib import PEERS, WEIGHTS, run
from detection_cell import Cell, Figures, Measured, image_figures, samples_of, tested

import blemish
from blemish.data.samples import Sample
from blemish.images.read import read_image
from blemish.result import Result, Verdict
from blemish.system.address import Place

__all__ = ["METHODS", "measure_peer"]

METHODS = ("patchcore", "padim")
WARM_UP = 3


def measure_peer(cell: Cell, data: Path, python: str) -> Measured:
    """One good and one defective test image also serve as its validation images, without which it does not fit; so
    nothing is said of its threshold. Its maps of 256 x 256 are enlarged to the size of the image."""
    samples = samples_of(cell, data)
    with tempfile.TemporaryDirectory() as scratch:
        folder, maps = Path(scratch, "images"), Path(scratch, "maps")
        folder.mkdir()
        maps.mkdir()
        lay_out(samples, folder)
        command = [python, PEERS / "anomalib_side.py", folder, "--maps", maps, "--method", cell.options["anomalib"]]
        answer = run([*command, "--weights", data.parent / WEIGHTS])
        answers = Answers(samples, answer["scores"], maps)
        figures = {half: answers.figures(part) for half, part in tested(samples).items()}
    return Measured(
        cell,
        figures,
        "ResNet-18, 256 px",
        answer["fit_seconds"],
        answer["model_alone_ms"],
        None,
        answer["peak_mb"],
    )


class Answers:
    """The peer's scores and maps, as `blemish.evaluate` asks for them."""

    threshold = float("nan")

    def __init__(self, samples: Sequence[Sample], scores: Mapping[str, float], maps: Path) -> None:
        self._scores, self._maps = scores, maps
        self._names = {sample.path: _name(number, sample) for number, sample in enumerate(samples)}

    def inspect_many(self, images: Iterable[Place]) -> Iterator[Result]:
        for path in images:
            name = self._names[path]
            height, width = read_image(path).shape[:2]
            map_HW = cv2.resize(np.load(self._maps / f"{name}.npy"), (width, height)).astype(np.float32)
            yield Result(str(path), Verdict.OK, self._scores[name], self.threshold, map_HW)

    def figures(self, samples: Sequence[Sample]) -> Figures:
        scores = [self._scores[self._names[sample.path]] for sample in samples]
        pixels = blemish.evaluate(self, samples, progress=False, resamples=1).pixels
        found = image_figures(scores, [sample.label for sample in samples])
        return replace(
            found, pixel_auroc=100 * pixels.auroc if pixels else None, aupro=100 * pixels.aupro if pixels else None
        )


def lay_out(samples: Sequence[Sample], folder: Path) -> None:
    """Copy the images into the folders that the peer reads."""
    numbered = list(enumerate(samples))
    train = [each for each in numbered if each[1].split == "train"]
    tests = [each for each in numbered if _tested(each[1])]
    parts = {
        "train": train,
        "test": tests,
        "validate_good": [each for each in tests if not each[1].label][:1],
        "validate_defective": [each for each in tests if each[1].label][:1],
        "warm_up": train[:WARM_UP],
    }
    for part, images in parts.items():
        (folder / part).mkdir()
        for number, sample in images:
            shutil.copy(sample.path, folder / part / _name(number, sample))


def _tested(sample: Sample) -> bool:
    return sample.split == "test"


def _name(number: int, sample: Sample) -> str:
    return f"{number:05}{sample.path.suffix}"
