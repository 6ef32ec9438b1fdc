"""Outcomes as panels: curves over the number of good images, or systems side by side."""

import statistics
from collections.abc import Iterable, Sequence

from blemish.reproduction.chart import Panel, Point, Series
from blemish.reproduction.plan import METRICS, Outcome

__all__ = ["curve_panels", "table_panels"]


def curve_panels(outcomes: Sequence[Outcome]) -> list[Panel]:
    """For each task and metric: one line a system over the number of good images, the paper's hollow."""
    panels = []
    for task, own in _by_task(outcomes):
        labels = list(dict.fromkeys(o.entry.label for o in sorted(own, key=_images)))
        for metric in METRICS:
            series = []
            for system in dict.fromkeys(o.entry.system.name for o in own):
                lines = sorted((o for o in own if o.entry.system.name == system), key=_images)
                series.append(Series(system, [p for o in lines if (p := _measured(o, metric, o.entry.label))]))
                series.append(Series(system, _printed(lines, metric), of_paper=True))
            panels.append(Panel(f"{task}: {metric}", labels, series, joined=True, paper="the paper, MVTec AD"))
    return panels


def table_panels(outcomes: Sequence[Outcome]) -> list[Panel]:
    """For each task and metric: the systems side by side, the paper's hollow."""
    panels = []
    for task, own in _by_task(outcomes):
        labels = list(dict.fromkeys(o.entry.system.name for o in own))
        for metric in METRICS:
            measured = [point for o in own if (point := _measured(o, metric, o.entry.system.name))]
            printed = [
                Point(o.entry.system.name, figure.value, figure.value, figure.value)
                for o in own
                if (figure := o.entry.paper.get(metric))
            ]
            series = [Series("measured", measured), Series("measured", printed, of_paper=True)]
            panels.append(Panel(f"{task}: {metric}", labels, series, joined=False))
    return panels


def _by_task(outcomes: Sequence[Outcome]) -> Iterable[tuple[str, list[Outcome]]]:
    tasks = dict.fromkeys(outcome.entry.task.name for outcome in outcomes)
    return ((task, [outcome for outcome in outcomes if outcome.entry.task.name == task]) for task in tasks)


def _images(outcome: Outcome) -> int:
    return outcome.entry.shots or len(outcome.entry.task.train)


def _measured(outcome: Outcome, metric: str, label: str) -> Point | None:
    values = outcome.values(metric) if metric in outcome.entry.metrics else []
    return Point(label, statistics.fmean(values), min(values), max(values)) if values else None


def _printed(outcomes: Sequence[Outcome], metric: str) -> list[Point]:
    found = [(o.entry.label, o.entry.paper[metric]) for o in outcomes if metric in o.entry.paper]
    return [Point(label, *(value + s * (spread or 0) for s in (0, -1, 1))) for label, (value, spread) in found]
