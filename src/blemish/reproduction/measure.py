"""Fit and test one cell, without a threshold: what is compared are rankings of images and pixels."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from blemish.data.protocols.tasks import Task
from blemish.errors import DataError
from blemish.evaluation.bootstrap import Interval, intervals
from blemish.evaluation.metrics import auroc, average_precision
from blemish.evaluation.pixel_intervals import PixelGroups
from blemish.evaluation.pixels import PixelCurve
from blemish.images.probe import probe_image
from blemish.methods.good_images import GoodImages, Workers, fits_elsewhere
from blemish.methods.method import Fitted
from blemish.methods.prepare import good_images
from blemish.methods.registry import find_method
from blemish.options.settings import Resources
from blemish.reproduction.answer import Answer, AnswerEach, answered
from blemish.reproduction.cell import Cell
from blemish.reproduction.seen import SeenImages
from blemish.system.progress import Progress, silent
from blemish.system.stream import available_threads, stream

__all__ = ["Measured", "measure"]

Found = TypeVar("Found")


class Measured(BaseModel):
    """What a cell answers; None where it cannot be measured, and `notes` says why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trained_on: int
    image_auroc: float | None
    image_interval: tuple[float, float] | None
    """95 % bootstrap interval over groups, as of the pixels."""
    average_precision: float | None
    pixel_auroc: float | None
    pixel_interval: tuple[float, float] | None
    aupro: float | None
    scenes: dict[str, float]
    """Pixel AUROC of each scene, where several share the model and masks mark something in it."""
    fit_seconds: float
    inspect_seconds: float
    """Of one image, on all threads; metrics included, and the network unless it was run for the cell before."""
    notes: list[str]


def measure(
    cell: Cell,
    resources: Resources,
    seen: SeenImages,
    progress: Progress = silent,
    cluster: Workers | None = None,
) -> Measured:
    """Fit without a threshold, score the test images and measure the scores. Raises BlemishError.

    The machines of a cluster fit where they can (`fits_elsewhere`), and score in any case.
    """
    train, tests = cell.train, cell.task.test
    began = time.perf_counter()
    good = _good(cell, resources, progress, cluster)
    method, graph = _fitted(good, progress)
    fitted = time.perf_counter()
    answers: Iterator[Answer]
    if cluster:
        each = AnswerEach(method, graph, good.viewer, resources.provider)
        answers = cluster.stream(each, tests, heavy=True)
    else:
        images = seen.see(graph, good.viewer, tests, provider=resources.provider, threads=good.threads)
        answers = stream(partial(answered, method), images, threads=good.threads)

    with _Tally(cell.task) as tally:
        for number, answer in enumerate(answers):
            tally.add(answer)
            progress("test", number + 1, len(tests))
        inspected = (time.perf_counter() - fitted) / len(tests)
        return Measured(
            trained_on=len(train), fit_seconds=fitted - began, inspect_seconds=inspected, **tally.measured(cell.seed)
        )


def _good(cell: Cell, resources: Resources, progress: Progress, cluster: Workers | None) -> GoodImages:
    """The training images, and how they are looked at."""
    sources, threads = [sample.path for sample in cell.train], resources.threads or available_threads()
    kinds = list(cluster.stream(probe_image, sources) if cluster else stream(probe_image, sources, threads=threads))
    size_asked = "size" in {**cell.task.options, **cell.options}
    workers = cluster if fits_elsewhere(cell.settings) else None
    return good_images(sources, kinds, cell.settings, resources, progress, size_asked=size_asked, workers=workers)


def _fitted(good: GoodImages, progress: Progress) -> Fitted:
    """The method and its graph; whatever happens, workers forget what they held for it."""
    try:
        return find_method(good.settings.method).learn(good).fit(None, progress)
    finally:
        if good.workers:
            good.workers.release()


class _Tally:
    """Takes answers one by one, in bounded memory, and measures them together."""

    def __init__(self, task: Task) -> None:
        self._scores: list[tuple[float, int, str]] = []
        self._scene = task.scene
        self._pooled = PixelCurve()
        self._scenes: dict[str, PixelCurve] = {}
        self._groups = PixelGroups()

    def __enter__(self) -> "_Tally":
        return self

    def __exit__(self, *error: object) -> None:
        for curve in (self._pooled, *self._scenes.values()):
            curve.__exit__(None, None, None)

    def add(self, answer: Answer) -> None:
        sample = answer.sample
        self._scores.append((answer.score, sample.label, sample.group))
        if answer.map_HW is None or answer.mask_HW is None:
            return
        self._pooled.add(answer.map_HW, answer.mask_HW)
        self._groups.add(sample.group, answer.map_HW, answer.mask_HW)
        if self._scene:
            scene = self._scene(sample)
            if scene not in self._scenes:
                self._scenes[scene] = PixelCurve()
            self._scenes[scene].add(answer.map_HW, answer.mask_HW)

    def measured(self, seed: int) -> dict[str, Any]:
        """The fields of `Measured` that scores and maps tell."""
        notes: list[str] = []
        scores, labels, groups = (list(column) for column in zip(*self._scores, strict=True))
        ranges = _try(lambda: intervals(scores, labels, groups, seed=seed), notes)
        pixels = _try(self._pooled.scores, notes)
        pixel_range = _try(lambda: self._groups.interval(seed=seed), notes) if pixels else None
        scenes = {name: _try(curve.scores, notes) for name, curve in sorted(self._scenes.items())}
        return {
            "image_auroc": _try(lambda: auroc(scores, labels), notes),
            "image_interval": _pair(ranges.auroc if ranges else None),
            "average_precision": _try(lambda: average_precision(scores, labels), notes),
            "pixel_auroc": pixels.auroc if pixels else None,
            "pixel_interval": _pair(pixel_range),
            "aupro": pixels.aupro if pixels else None,
            "scenes": {name: found.auroc for name, found in scenes.items() if found},
            "notes": list(dict.fromkeys(notes)),
        }


def _pair(interval: Interval | None) -> tuple[float, float] | None:
    return (interval.low, interval.high) if interval else None


def _try(measure_it: Callable[[], Found], notes: list[str]) -> Found | None:
    """The answer, or None with the reason among the notes."""
    try:
        return measure_it()
    except DataError as error:
        notes.append(str(error))
        return None
