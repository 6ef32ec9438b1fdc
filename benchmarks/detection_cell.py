"""One cell of detection.py: fit, inspect every test image once, measure all of them and each half."""

import resource
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from detection_sets import SETS, in_half, thin

import blemish
from blemish.arrays import Doubles
from blemish.data.samples import Sample
from blemish.evaluation.metrics import auroc
from blemish.images.mask import read_mask
from blemish.result import Result
from blemish.system.address import Place

__all__ = ["Cell", "Figures", "Measured", "image_figures", "measure", "tested"]

THREADS = 2
FALSE_REJECTS = 0.05
"""Share of the good test images above the oracle threshold at which found defects are counted."""
STEPS = 4096
"""Map thresholds among which the oracle of pixel F1 chooses, evenly spaced."""


@dataclass(frozen=True)
class Cell:
    """One set under one effort and some settings, with one seed."""

    data: str
    options: Mapping[str, Any]
    """What `blemish.fit` is given."""
    seed: int
    images: int | None
    """Fit and test on about so many images only."""


@dataclass(frozen=True)
class Figures:
    """What some test images say, in percent; None where it cannot be measured."""

    auroc: float | None
    found: float | None
    """Defective images above the score that 5 % of these good images exceed: an oracle."""
    missed: float | None = None
    rejected: float | None = None
    """Good images that are NG at the threshold that `fit` set."""
    pixel_auroc: float | None = None
    aupro: float | None = None
    f1: float | None = None
    """Pixel F1 of the regions."""
    f1_oracle: float | None = None
    """Pixel F1 above the best map threshold for these very masks."""


@dataclass(frozen=True)
class Measured:
    """A cell's answer."""

    cell: Cell
    figures: Mapping[str, Figures]
    """Of the halves `dev` and `report`, and of `all` test images."""
    kept: str
    """What the method keeps of the good images."""
    fit_seconds: float
    one_ms: float
    """Median from file to map, one image at a time."""
    processor_ms: float | None
    """The same on all cores together: it suffers less from what else runs. Not known of peers."""
    peak_mb: float
    """Of fit and inspection."""
    commit: str = "unknown"
    """Of the checkout that measured it."""


def tested(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """The test samples of each half, and all of them."""
    tests = [sample for sample in samples if sample.split == "test"]
    return {
        "dev": [sample for sample in tests if in_half(sample, "dev")],
        "report": [sample for sample in tests if in_half(sample, "report")],
        "all": tests,
    }


def samples_of(cell: Cell, data: Path) -> list[Sample]:
    samples = SETS[cell.data].read(data, cell.seed)
    parts = [[sample for sample in samples if sample.split == split] for split in ("train", "test")]
    return [sample for part in parts for sample in thin(part, cell.images)]


def measure(cell: Cell, data: Path) -> Measured:
    """To be run in a process of its own, whose peak memory is the cell's."""
    samples = samples_of(cell, data)
    train = [sample for sample in samples if sample.split == "train"]
    began = time.perf_counter()
    detector = blemish.fit(
        [sample.path for sample in train],
        groups=[sample.group for sample in train],
        seed=cell.seed,
        threads=THREADS,
        progress=False,
        **cell.options,
    )
    fit_seconds = time.perf_counter() - began
    tests = tested(samples)
    with tempfile.TemporaryDirectory() as scratch:
        inspected = Inspected(detector, tests["all"], Path(scratch))
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures = {half: inspected.figures(part) for half, part in tests.items()}
    return Measured(
        cell,
        figures,
        str(getattr(detector.model.method, "size", detector.model.method)),
        fit_seconds,
        inspected.one_ms,
        inspected.processor_ms,
        peak_mb,
    )


class Inspected:
    """The results of a detector on some samples, each inspected once and alone; arrays wait on disk."""

    def __init__(self, detector: blemish.Detector, samples: Sequence[Sample], folder: Path) -> None:
        self.threshold = detector.threshold
        self._folder = folder
        detector.inspect(samples[0].path)
        walls, processors = [], []
        self._results: dict[Place, Result] = {}
        for number, sample in enumerate(samples):
            wall, processor = time.perf_counter(), time.process_time()
            result = detector.inspect(sample.path)
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
            self._keep(number, sample.path, result)
        self.one_ms, self.processor_ms = (1000 * float(np.median(seconds)) for seconds in (walls, processors))

    def _keep(self, number: int, path: Place, result: Result) -> None:
        assert result.anomaly_map is not None, f"{path}: {result.error}"
        assert result.mask is not None, f"{path}: {result.error}"
        name = self._folder / str(number)
        np.savez(name, map_HW=result.anomaly_map, mask_HW=result.mask)
        self._results[path] = replace(
            result, path=str(path), anomaly_map=None, mask=None, matches=None, picture=None, model=str(number)
        )

    def inspect_many(self, images: Iterable[Place]) -> Iterator[Result]:
        """What `blemish.evaluate` asks of a detector."""
        for path in images:
            result = self._results[path]
            with np.load(self._folder / f"{result.model}.npz") as arrays:
                yield replace(result, anomaly_map=arrays["map_HW"], mask=arrays["mask_HW"])

    def figures(self, samples: Sequence[Sample]) -> Figures:
        results = [self._results[sample.path] for sample in samples]
        labels = [sample.label for sample in samples]
        evaluation = blemish.evaluate(self, samples, progress=False, resamples=1)
        pixels, confusion = evaluation.pixels, evaluation.confusion
        both = len(set(labels)) == 2
        figures = image_figures([result.score for result in results], labels) if both else Figures(None, None)
        f1, f1_oracle = self._pixel_f1(samples) if pixels else (None, None)
        return replace(
            figures,
            auroc=_percent(evaluation.auroc.value if evaluation.auroc else None),
            missed=_percent(confusion.miss_rate),
            rejected=_percent(confusion.false_reject_rate),
            pixel_auroc=_percent(pixels.auroc if pixels else None),
            aupro=_percent(pixels.aupro if pixels else None),
            f1=f1,
            f1_oracle=f1_oracle,
        )

    def _pixel_f1(self, samples: Sequence[Sample]) -> tuple[float, float]:
        """Of the regions, and of the best map threshold, over the pixels of good and of masked images."""
        masked = [sample for sample in samples if sample.mask or not sample.label]
        ends = self._range(masked)
        hits = called = defective = 0
        counts_2U: Doubles = np.zeros((2, STEPS))
        for sample, result in zip(masked, self.inspect_many([each.path for each in masked]), strict=True):
            assert result.anomaly_map is not None, "inspect_many gives maps"
            assert result.mask is not None, "inspect_many gives masks"
            true_HW = _mask(sample, result.anomaly_map.shape)
            hits += int((result.mask & true_HW).sum())
            called, defective = called + int(result.mask.sum()), defective + int(true_HW.sum())
            for kind, chosen_HW in enumerate((~true_HW, true_HW)):
                counts_2U[kind] += np.histogram(result.anomaly_map[chosen_HW], STEPS, ends)[0]
        good_U, found_U = counts_2U[:, ::-1].cumsum(axis=1)
        best = float((2 * found_U / (good_U + found_U + defective)).max())
        return 100 * 2 * hits / (called + defective), 100 * best

    def _range(self, samples: Sequence[Sample]) -> tuple[float, float]:
        """The smallest and the largest value of the maps."""
        maps = (result.anomaly_map for result in self.inspect_many([sample.path for sample in samples]))
        ends = [(float(np.nanmin(map_HW)), float(np.nanmax(map_HW))) for map_HW in maps if map_HW is not None]
        return min(low for low, _ in ends), max(high for _, high in ends)


def image_figures(scores: Sequence[float], labels: Sequence[int]) -> Figures:
    """Image AUROC, and the share of defective images found at 5 % false rejects."""
    scores_N, defective_N = np.array(scores), np.array(labels, bool)
    threshold = np.quantile(scores_N[~defective_N], 1 - FALSE_REJECTS)
    return Figures(100 * auroc(scores, labels), 100 * float((scores_N[defective_N] > threshold).mean()))


def _mask(sample: Sample, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return read_mask(sample.mask, sample.mask_cut) if sample.mask else np.zeros(shape, bool)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
