"""Figure 6: how few good images are enough, and its two spoken claims; the same curves for any data set."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blemish.data.protocols.find import any_tasks
from blemish.data.protocols.magnetic_tile import DISJOINT, MAGNETIC_TILE
from blemish.data.protocols.mvtec import MVTEC
from blemish.data.protocols.shots import usable_shots
from blemish.data.protocols.solar_cells import solar_cell_task
from blemish.data.protocols.tasks import Task
from blemish.errors import DataError
from blemish.reproduction.plan import METRICS, Entry, Outcome
from blemish.reproduction.published import FIGURE_6
from blemish.reproduction.systems import DIFFERNET, PADIM, SPADE, System, patchcore

__all__ = ["FIFTH", "claims", "plan_figure6", "plan_shots"]

FIFTH = "one fifth"
PATCHCORE = patchcore(25)
SYSTEMS = (PATCHCORE, PADIM, SPADE)


def plan_figure6(root: Path, derived: Path, options: dict[str, Any]) -> list[Entry]:
    """MVTec AD where it is at hand; else Magnetic Tile without a tile in both halves, and solar cells.

    Raises DataError, explaining, where none of them is there.
    """
    if MVTEC.find(root):
        tasks, remarks = MVTEC.tasks(root, derived), ["the paper prints the mean over all categories"]
    else:
        tasks, remarks = _in_its_place(root, derived)
    if not tasks:
        raise DataError(MVTEC.missing(root))
    entries = []
    for task in tasks:
        entries += _curves(task, SYSTEMS, options, remarks)
        if len(task.train) > 16:
            entries.append(_entry(DIFFERNET, task, 16, "16", options, remarks))
    return entries


def plan_shots(root: Path, derived: Path, options: dict[str, Any]) -> list[Entry]:
    """Curves for every data set in a folder, or for one folder or CSV that is a data set."""
    return [entry for task in any_tasks(root, derived) for entry in _curves(task, SYSTEMS, options, ())]


def claims(outcomes: Sequence[Outcome]) -> list[str]:
    """The figure's two spoken claims on each task, as sentences with what was measured."""
    found = {(o.entry.task.name, o.entry.system.name, o.entry.label): o for o in outcomes}
    sentences = []
    for task in dict.fromkeys(outcome.entry.task.name for outcome in outcomes):
        for metric in METRICS:
            for other in (SPADE, PADIM):
                few, all_ = found.get((task, PATCHCORE.name, FIFTH)), found.get((task, other.name, "all"))
                sentences += _claim(task, metric, few, all_)
        sentences += _claim(
            task, "image AUROC", found.get((task, PATCHCORE.name, "16")), found.get((task, DIFFERNET.name, "16"))
        )
    return sentences


def _claim(task: str, metric: str, first: Outcome | None, second: Outcome | None) -> list[str]:
    """Shown where every seed of the first lies above every one of the second, refuted where all lie below."""
    if first is None or second is None:
        return []
    names = [f"{o.entry.system.name} with {o.entry.label} images" for o in (first, second)]
    ours, theirs = first.values(metric), second.values(metric)
    if not ours or not theirs:
        missing = second.missing or first.missing
        return [f"{task}: {names[0]} against {names[1]}: {missing}"] if missing else []
    verdict = "shown" if min(ours) > max(theirs) else "refuted" if max(ours) < min(theirs) else "seeds overlap"
    figures = [f"{statistics.fmean(each):.1f} ({min(each):.1f} to {max(each):.1f})" for each in (ours, theirs)]
    return [f"{task}, {metric}: {names[0]} {figures[0]}, {names[1]} {figures[1]}: {verdict}"]


def _in_its_place(root: Path, derived: Path) -> tuple[list[Task], list[str]]:
    """What stands in for MVTec AD, and remarks on it."""
    remarks = ["in place of MVTec AD, whose mean the paper prints"]
    tiles = MAGNETIC_TILE.tasks(root, derived) if MAGNETIC_TILE.find(root) else []
    tasks = [task for task in tiles if task.name == DISJOINT]
    try:
        return [*tasks, solar_cell_task()], remarks
    except DataError as error:
        return tasks, [*remarks, f"solar cells are left out: {error}"]


def _curves(task: Task, systems: Sequence[System], options: dict[str, Any], remarks: Sequence[str]) -> list[Entry]:
    """Each system at each number of shots, at one fifth and at all of a task's images."""
    *few, images = usable_shots(len(task.train))
    steps = [(shots, str(shots)) for shots in few] + [(max(1, round(images / 5)), FIFTH), (None, "all")]
    return [_entry(system, task, shots, label, options, remarks) for system in systems for shots, label in steps]


def _entry(
    system: System, task: Task, shots: int | None, label: str, options: dict[str, Any], remarks: Sequence[str]
) -> Entry:
    metrics = [metric for metric in METRICS if metric == "image AUROC" or any(sample.mask for sample in task.test)]
    paper = {metric: FIGURE_6[key] for metric in metrics if (key := (system.name, metric, shots)) in FIGURE_6}
    return Entry(system, task, metrics, shots, label, options, paper, remarks)
