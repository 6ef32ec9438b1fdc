"""What a fit will take, before it begins: time, memory and disk, from a small fit on the first images.

Each step is measured there; the coreset, whose cost does not grow with the images alone, follows the model of
docs/cluster.md: patches looked at again, and pairs of patches and rows compared, on 10^6 to 2 x 10^7 patches.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from blemish.errors import OptionError
from blemish.features.patches import Features, look
from blemish.fitting import fit
from blemish.images.sources import Images, list_sources
from blemish.memory.choose import coreset_rows
from blemish.options.given import FitOptions
from blemish.options.settings import Resources, divide_options
from blemish.system.stream import available_threads

__all__ = ["FIRST", "FitPlan", "LookPlan", "plan_fit", "search_seconds"]

FIRST = 64
"""Images that are measured."""
ROWS = 1000
"""Of the small fit's coreset, at each look."""
EFFICIENCY = 0.8
"""Share of a cluster's processors that work at a time."""
SEARCH_GROWTH = 0.78
"""Power of the rows by which the search of an image grows: 2.0 ms at 1,000 rows, 11.9 at 10,000."""
SEARCHING = ("threshold", "candidates")
"""Steps that search every image's nearest rows."""
NOT_MEASURED = ("memory", "spill_folder", "spill_type", "radius", "checkpoint", "folds", "held_out")
SHORT = 168
"""Bytes that the bound keeps of a patch in memory."""
OF_A_FILE = 12
"""Bytes that a patch takes in memory where it lies in a file."""


@dataclass(frozen=True)
class LookPlan:
    """The patches of all images at one look, and the rows to choose of them."""

    patches: int
    dimension: int
    rows: int

    def coreset_cost(self) -> float:
        """Seconds of one processor, of the machine of docs/cluster.md."""
        millions, thousands = max(self.patches / 1e6, 0.05), max(self.rows / 1000, 1.0)
        freshened = 2.4 * math.pow(thousands, 0.23) * self.patches
        pairs = 0.45 * math.pow(millions, -0.22) * math.pow(thousands, 0.1) * self.patches * self.rows
        return (1.5e-6 * freshened + 1.7e-9 * pairs) * self.dimension / 152


@dataclass(frozen=True)
class FitPlan:
    """What a fit will take; seconds are of this machine as it was while the first images were measured."""

    images: int
    measured: int
    threads: int
    seconds: dict[str, float]
    """Of each step."""
    looks: Sequence[LookPlan]
    memory: int
    """Bytes of the patches in memory."""
    disk: int
    """Bytes of the patches in files."""
    model: int
    """Bytes of the model file, at most."""

    @property
    def total(self) -> float:
        """Seconds of all steps."""
        return sum(self.seconds.values())

    @property
    def rows(self) -> int:
        """Of the largest memory bank."""
        return max(own.rows for own in self.looks)

    def on(self, processors: int) -> float:
        """Seconds on a cluster of so many processors like these, where storage keeps up."""
        return self.total * self.threads / (processors * EFFICIENCY)


def search_seconds(rows: float) -> float:
    """Seconds of one processor to search the patches of an image (784 of 152 values) in so many rows."""
    return 0.002 * math.pow(rows / 1000, SEARCH_GROWTH)


def plan_fit(
    images: Images,
    *,
    groups: Sequence[str] | None = None,
    recursive: bool = False,
    cluster: bool = False,
    **options: Unpack[FitOptions],
) -> FitPlan:
    """Measure a fit on the first images, and say what all of them will take.

    Args:
        images: Those of the fit, as `fit` takes them.
        groups: The part that each image shows, as for `fit`.
        recursive: Read the folders inside folders, too.
        cluster: Whether workers will hold the patches, all in files.
        **options: Those of the fit.

    Raises:
        OptionError: The method is not patchcore, whose cost is known.
        DataError, ImageError: As `fit`, of the first images.
    """
    settings, resources = divide_options(options)
    if settings.method != "patchcore":
        raise OptionError(f"Option plan cannot be used with the method {settings.method}: its cost is not known.")
    sources = list_sources(images, recursive=recursive)
    first, watch = sources[:FIRST], _Stopwatch()
    measured: dict[str, Any] = {name: value for name, value in options.items() if name not in NOT_MEASURED}
    own = groups[:FIRST] if groups else None
    detector = fit(
        first, groups=own, progress=watch, **(measured | {"coreset": ROWS, "calibration": "cross", "suspects": "keep"})
    )
    features = look(first[0], detector.viewer, detector.extractors.shared).features
    small, looks = _looks(features, len(first), ROWS), _looks(features, len(sources), settings.coreset)
    threads = resources.threads or available_threads()
    seconds = watch.extrapolated(len(sources), (_rows(looks) / _rows(small)) ** SEARCH_GROWTH)
    seconds["coreset"] = sum(own.coreset_cost() for own in looks) / threads
    memory, disk = _room(looks, resources, cluster=cluster)
    kept = 2 if settings.removable else 1
    model = len(detector.model.graph) + sum(4 * own.dimension * own.rows * kept for own in looks)
    return FitPlan(len(sources), len(first), threads, seconds, looks, memory, disk, model)


class _Stopwatch:
    """Progress of a fit that notes the time of each step: until it was first told of, and for each further image."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._first: dict[str, float] = {}
        self._later: dict[str, list[float]] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.perf_counter()
        if step in self._first:
            self._later.setdefault(step, []).append(now - self._last)
        else:
            self._first[step] = now - self._last
        self._last = now

    def extrapolated(self, images: int, search: float) -> dict[str, float]:
        """Seconds of each step of so many images, whose searches take `search` times as long."""
        found = {}
        for step, first in self._first.items():
            later = self._later.get(step, [first])
            found[step] = first + images * sum(later) / len(later) * (search if step in SEARCHING else 1.0)
        return found


def _rows(looks: Sequence[LookPlan]) -> int:
    return sum(own.rows for own in looks)


def _looks(features: Features, images: int, coreset: float) -> list[LookPlan]:
    """What so many images have at each look, if they are like the one with these features."""
    found = []
    for seen in features.values():
        cells, dimension = seen.values_QD.shape
        rows = coreset_rows(images * cells, coreset, several_looks=len(features) > 1)
        found.append(LookPlan(images * cells, dimension, rows))
    return found


def _room(looks: Sequence[LookPlan], resources: Resources, *, cluster: bool) -> tuple[int, int]:
    """Bytes of the patches in memory, and in files."""
    in_memory = sum(own.patches * (4 * own.dimension + SHORT) for own in looks)
    if not cluster and (resources.memory is None or in_memory <= resources.memory):
        return in_memory, 0
    width = 2 if resources.spill_type == "float16" else 4
    return sum(own.patches for own in looks) * OF_A_FILE, sum(own.patches * own.dimension * width for own in looks)
