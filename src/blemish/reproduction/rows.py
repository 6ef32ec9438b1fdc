"""Outcomes as rows: the paper's figure beside the measured one, and why they may differ."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from blemish.reproduction.plan import Outcome
from blemish.reproduction.published import Printed

__all__ = ["MEAN", "Row", "as_csv", "as_markdown", "mean_rows", "rows_of"]

MEAN = "mean"
"""What the paper calls the mean over all categories, among the categories."""


@dataclass(frozen=True)
class Row:
    """One metric of one system on one task; figures in percent."""

    task: str
    system: str
    images: str
    """Good images fitted on, as the table calls them."""
    metric: str
    paper: str
    measured: float | None
    """The mean over seeds."""
    lowest: float | None
    highest: float | None
    """Over seeds."""
    seeds: int
    interval: tuple[float, float] | None
    """95 % bootstrap interval over groups of test images, of the first seed."""
    network: str
    remark: str

    @property
    def shown(self) -> str:
        """The measured figure for people."""
        if self.measured is None:
            return "-"
        spread = f" ({self.lowest:.2f} to {self.highest:.2f})" if self.seeds > 1 else ""
        return f"{self.measured:.2f}{spread}"

    @property
    def shown_interval(self) -> str:
        return f"{self.interval[0]:.1f} to {self.interval[1]:.1f}" if self.interval else "-"


def rows_of(outcomes: Sequence[Outcome], network: str) -> list[Row]:
    """A row for each metric of each outcome."""
    return [_row(outcome, metric, network) for outcome in outcomes for metric in outcome.entry.metrics]


def mean_rows(outcomes: Sequence[Outcome], network: str, paper: Mapping[tuple[str, str, str], Printed]) -> list[Row]:
    """The mean over tasks of each system and metric, seed by seed; `paper` prints it for all of its tasks together."""
    tasks = {outcome.entry.task.name for outcome in outcomes}
    printed = {task for task, _, _ in paper} - {MEAN}
    groups: dict[tuple[str, str, str], list[list[float]]] = {}
    for outcome in outcomes:
        for metric in outcome.entry.metrics:
            key = outcome.entry.system.name, outcome.entry.label, metric
            groups.setdefault(key, []).append(outcome.values(metric))
    rows = []
    for (system, label, metric), values in groups.items():
        seeds = min(map(len, values))
        if len(values) < 2 or seeds == 0:
            continue
        means = [statistics.fmean(each[seed] for each in values) for seed in range(seeds)]
        rows.append(
            Row(
                task=f"mean of {len(values)}",
                system=system,
                images=label,
                metric=metric,
                paper=str(paper.get((MEAN, system, metric), "-")) if tasks == printed else "-",
                measured=statistics.fmean(means),
                lowest=min(means),
                highest=max(means),
                seeds=seeds,
                interval=None,
                network=network,
                remark="" if tasks == printed else f"the paper's mean is over {len(printed)}",
            )
        )
    return rows


def _row(outcome: Outcome, metric: str, network: str) -> Row:
    entry, values = outcome.entry, outcome.values(metric)
    remarks = [outcome.missing] if outcome.missing else [*entry.remarks, *_notes(outcome, metric)]
    return Row(
        task=entry.task.name,
        system=entry.system.name,
        images=entry.label,
        metric=metric,
        paper=str(entry.paper.get(metric, "-")),
        measured=statistics.fmean(values) if values else None,
        lowest=min(values, default=None),
        highest=max(values, default=None),
        seeds=len(values),
        interval=_interval(outcome, metric),
        network=entry.system.network or network,
        remark="; ".join(remarks),
    )


def _interval(outcome: Outcome, metric: str) -> tuple[float, float] | None:
    if not outcome.runs:
        return None
    first = outcome.runs[0]
    found = {"image AUROC": first.image_interval, "pixel AUROC": first.pixel_interval}.get(metric)
    return (100 * found[0], 100 * found[1]) if found else None


def _notes(outcome: Outcome, metric: str) -> list[str]:
    """What a run says of itself that bears on the metric."""
    if not outcome.runs or not outcome.runs[0].scenes or metric != "pixel AUROC":
        return []
    scenes = outcome.runs[0].scenes
    listed = ", ".join(f"{name} {100 * value:.1f}" for name, value in scenes.items())
    return [f"pooled; mean of {len(scenes)} scenes {100 * statistics.fmean(scenes.values()):.1f} ({listed})"]


COLUMNS = ("task", "system", "images", "metric", "paper", "measured", "95 % interval", "network", "remark")


def _cells(row: Row) -> list[str]:
    """A row for people, in the order of COLUMNS."""
    shown = row.shown, row.shown_interval
    return [row.task, row.system, row.images, row.metric, row.paper, *shown, row.network, row.remark]


def as_markdown(rows: Sequence[Row]) -> str:
    """A Markdown table, one line a row."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """One line a row, figures unrounded, with a mark that spreadsheets need to read UTF-8."""
    text = io.StringIO()
    names = [name for name in asdict(rows[0]) if name != "interval"] if rows else []
    writer = csv.DictWriter(text, [*names, "interval_low", "interval_high"])
    writer.writeheader()
    for row in rows:
        low, high = row.interval or ("", "")
        values = {name: value for name, value in asdict(row).items() if name != "interval"}
        writer.writerow({**values, "interval_low": low, "interval_high": high})
    return "\ufeff" + text.getvalue()
