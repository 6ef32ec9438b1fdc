"""What a table or figure is made of: entries to measure, each with what the paper prints for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from blemish.data.protocols.tasks import Task
from blemish.errors import BlemishError
from blemish.methods.good_images import Workers, fits_elsewhere
from blemish.options.settings import Resources
from blemish.reproduction.cell import Cell
from blemish.reproduction.finished import FinishedCells
from blemish.reproduction.measure import Measured, measure
from blemish.reproduction.published import Printed
from blemish.reproduction.seen import SeenImages
from blemish.reproduction.systems import System
from blemish.system.progress import Progress, silent

__all__ = ["METRICS", "Entry", "Outcome", "carry_out"]

METRICS: Mapping[str, Callable[[Measured], float | None]] = {
    "image AUROC": lambda measured: measured.image_auroc,
    "pixel AUROC": lambda measured: measured.pixel_auroc,
    "PRO": lambda measured: measured.aupro,
}
"""The metrics of the paper's tables; PRO is the area up to a false positive rate of 0.3."""


@dataclass(frozen=True)
class Entry:
    """One system on one task, with all seeds."""

    system: System
    task: Task
    metrics: Sequence[str]
    shots: int | None = None
    label: str = "all"
    """How the number of good images is called."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings beside the system's, such as the backbone of the whole run."""
    paper: Mapping[str, Printed] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    """Known reasons for a difference to the paper."""

    def cell(self, seed: int) -> Cell:
        options = {**self.options, "method": self.system.method, **self.system.options}
        return Cell(self.task, options, self.shots, seed)


@dataclass(frozen=True)
class Outcome:
    """An entry's answers, one a seed, or why there are none."""

    entry: Entry
    runs: list[Measured]
    missing: str | None = None

    def values(self, metric: str) -> list[float]:
        """A metric in percent, one a seed; empty where it cannot be measured."""
        found = [METRICS[metric](run) for run in self.runs]
        return [100 * value for value in found if value is not None]


def carry_out(
    entries: Iterable[Entry],
    finished: FinishedCells,
    resources: Resources,
    *,
    seeds: int,
    say: Callable[[str], None],
    progress: Progress = silent,
    cluster: Workers | None = None,
) -> list[Outcome]:
    """Measure whatever is not finished yet; what cannot be run is an outcome too, and says why."""
    measured = partial(measure, resources=resources, seen=SeenImages(), progress=progress, cluster=cluster)
    return [_outcome(entry, finished, measured, seeds, say, elsewhere=cluster is not None) for entry in entries]


def _outcome(
    entry: Entry,
    finished: FinishedCells,
    measured: Callable[[Cell], Measured],
    seeds: int,
    say: Callable[[str], None],
    *,
    elsewhere: bool,
) -> Outcome:
    name = f"{entry.system.name}, {entry.task.name}, {entry.label} images"
    runs: list[Measured] = []
    for seed in range(seeds if entry.system.drawn or entry.shots else 1):
        try:
            cell = entry.cell(seed)
            answer = finished.find(cell)
            if answer is None and entry.system.missing:
                return Outcome(entry, [], entry.system.missing)
            if answer is None:
                if elsewhere and not fits_elsewhere(cell.settings):
                    say(f"{name}: fitted by this process; a cluster fits patchcore with a coreset below 100 % only.")
                answer = measured(cell)
                finished.keep(cell, answer)
        except BlemishError as error:
            say(f"{name}: {error}")
            return Outcome(entry, [], f"not run: {error}")
        runs.append(answer)
        found = {metric: METRICS[metric](answer) for metric in entry.metrics}
        shown = ", ".join(f"{metric} {100 * value:.1f}" for metric, value in found.items() if value is not None)
        say(f"{name}, seed {seed}: {shown} ({answer.fit_seconds:.0f} s to fit)")
    return Outcome(entry, runs)
