"""anomalib's side of detection.py: the same images, ResNet-18 at 256 px, in its own environment."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from against_anomalib import PEERS, WEIGHTS, run
from detection_cell import Cell, Measured, image_figures, samples_of, tested

from blemish.data.samples import Sample

__all__ = ["METHODS", "measure_peer"]

METHODS = ("patchcore", "padim")
WARM_UP = 3


def measure_peer(cell: Cell, data: Path, python: str) -> Measured:
    """Image scores only; its maps are not compared. One good and one defective test image also serve as its
    validation images, without which it does not fit."""
    samples = samples_of(cell, data)
    weights = data.parent / WEIGHTS
    with tempfile.TemporaryDirectory() as scratch:
        lay_out(samples, Path(scratch))
        side = PEERS / "anomalib_side.py"
        answer = run([python, side, "--weights", weights, "--method", cell.options["anomalib"], scratch])
    scores: dict[str, float] = answer["scores"]
    score_of = {sample.path: scores[_name(number, sample)] for number, sample in enumerate(samples) if _tested(sample)}
    return Measured(
        cell,
        {
            half: image_figures([score_of[sample.path] for sample in part], [sample.label for sample in part])
            for half, part in tested(samples).items()
        },
        "ResNet-18, 256 px",
        answer["fit_seconds"],
        answer["model_alone_ms"],
        None,
        answer["peak_mb"],
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
