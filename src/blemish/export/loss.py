"""What weights in fewer bits cost, measured on images of the user; what costs more than the bars is refused."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from blemish.detector import Detector
from blemish.errors import DataError, OptionError
from blemish.evaluation.metrics import auroc
from blemish.export.artefact import Artefact
from blemish.export.compare import Tally, both
from blemish.export.ir import write_ir
from blemish.export.lighter import Precision
from blemish.system.address import Place

__all__ = ["Loss", "check_loss", "measured_loss"]

VERDICTS, POINTS = 0.01, 0.3
"""The share of good images whose verdicts change, and the points of AUROC that are lost: both have to be less."""
LEAST = 100
"""Fewer images cannot show a share under VERDICTS."""


@dataclass(frozen=True)
class Loss:
    """How an export in fewer bits differs from its model, on images that the memory does not hold."""

    good: int
    defective: int
    verdicts: tuple[int, int]
    """How many of the good and of the defective images get another verdict."""
    score: float
    """The median difference of scores, over the model's."""
    auroc: tuple[float, float] | None
    """Of the model and of the export, in percent; None without defective images."""

    @property
    def bearable(self) -> bool:
        """Whether it is within the bars."""
        lost = self.auroc[0] - self.auroc[1] if self.auroc else 0.0
        return self.verdicts[0] < VERDICTS * self.good and lost < POINTS

    def __str__(self) -> str:
        good = f"{self.verdicts[0]} of {self.good} good images get another verdict, scores differ by {self.score:.2%}"
        if self.auroc is None:
            return good
        changed = f"{self.verdicts[1]} of {self.defective} defective ones get another"
        return f"{good}; {changed}, AUROC {self.auroc[0]:.2f} % becomes {self.auroc[1]:.2f} %"


def check_loss(
    detector: Detector,
    content: bytes,
    precision: Precision,
    good: Sequence[Place],
    defective: Sequence[Place],
    runtime: Literal["onnx", "openvino"],
) -> Loss:
    """Measure an export (the bytes of its ONNX file) in the runtime that it is for.

    Raises OptionError with the figures where the loss is over the bars; DataError for too few good images, and for
    images that the memory holds.
    """
    _check_images(detector, good)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.xml" if runtime == "openvino" else "part.onnx")
        if runtime == "openvino":
            write_ir(path, content)
        else:
            path.write_bytes(content)
        artefact = Artefact.load(path)
    loss = measured_loss(detector, artefact, good, defective)
    if not loss.bearable:
        raise OptionError(
            f"Option precision={precision} cannot be used with this model, and nothing was written: {loss}; allowed "
            f"are less than 1 % of the good images, and less than 0.3 points."
        )
    return loss


def measured_loss(detector: Detector, artefact: Artefact, good: Sequence[Place], defective: Sequence[Place]) -> Loss:
    """Inspect images by both; those that both refuse are left out. Raises DataError where no good one is left."""
    judged = [
        (label, ours.score, theirs.score, ours.verdict is not theirs.verdict)
        for label, images in enumerate((good, defective))
        for ours, theirs in (both(detector, artefact, image) for image in images)
        if ours and theirs
    ]
    labels_N, ours_N, theirs_N, changed_N = np.array(judged, np.float64).reshape(-1, 4).T
    defective_N = labels_N == 1
    if defective_N.all():
        raise DataError("No image could be compared: the model refuses all of them.")
    sizes_N = np.maximum(np.abs(ours_N - Tally.of(detector).zero[0]), 1e-30)
    return Loss(
        good=int((~defective_N).sum()),
        defective=int(defective_N.sum()),
        verdicts=(int(changed_N[~defective_N].sum()), int(changed_N[defective_N].sum())),
        score=float(np.median(np.abs(theirs_N - ours_N) / sizes_N)),
        auroc=(100 * auroc(ours_N, defective_N), 100 * auroc(theirs_N, defective_N)) if defective_N.any() else None,
    )


def _check_images(detector: Detector, good: Sequence[Place]) -> None:
    if len(good) < LEAST:
        raise DataError(
            f"{len(good)} good images cannot show a loss under 1 %; give {LEAST} or more with --check that the memory "
            f"does not hold."
        )
    held = [str(path) for path, known in zip(good, detector.known(good), strict=True) if known and known.in_memory]
    if held:
        raise DataError(
            f"{len(held)} of the {len(good)} good images are in the memory ({', '.join(held[:3])}); check on images "
            f"that it has not seen."
        )
