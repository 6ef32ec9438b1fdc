"""`blemish reproduce`: the names it knows, and the way from a folder of data to tables and a figure."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from blemish.backbones.backbone import load_backbone
from blemish.errors import DataError, OptionError
from blemish.methods.good_images import Workers
from blemish.options.methods import OPTIONS_OF
from blemish.options.settings import divide_options
from blemish.reproduction.chart import Panel, draw
from blemish.reproduction.curves import claims, plan_figure6, plan_shots
from blemish.reproduction.finished import FinishedCells
from blemish.reproduction.panels import curve_panels, table_panels
from blemish.reproduction.paper_tables import plan_mvtec, plan_table6
from blemish.reproduction.plan import Entry, Outcome, carry_out
from blemish.reproduction.published import MVTEC_CLASSES
from blemish.reproduction.rows import COLUMNS, Row, as_csv, as_markdown, mean_rows, rows_of
from blemish.system.conducts import Conducts, Once, only
from blemish.system.outputs import begins
from blemish.system.progress import Shown, shown
from blemish.system.whole_file import write_whole

__all__ = ["FILES", "REPRODUCTIONS", "Reproduced", "reproduce"]

Plan = Callable[[Path, Path, dict[str, Any]], list[Entry]]


@dataclass(frozen=True)
class _Kind:
    plan: Plan
    panels: Callable[[Sequence[Outcome]], list[Panel]]
    claims: bool = False
    means: bool = False


REPRODUCTIONS = {
    "table6": _Kind(plan_table6, table_panels),
    "figure6": _Kind(plan_figure6, curve_panels, claims=True),
    "mvtec": _Kind(plan_mvtec, table_panels, means=True),
    "shots": _Kind(plan_shots, curve_panels),
}


FILES = {
    "csv": begins("a table of a reproduction", "\ufefftask,system,", "\ufeffinterval_low,"),
    "json": begins("the rows of a reproduction", '{\n "rows": ['),
    "md": begins("a table of a reproduction", f"| {COLUMNS[0]} | {COLUMNS[1]} |"),
    "svg": begins("a figure of a reproduction", '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 '),
}
"""The files NAME.SUFFIX that a reproduction leaves, and what it may write each over."""


@dataclass(frozen=True)
class Reproduced:
    """What was measured, and the files it was written to."""

    rows: list[Row]
    """One a system, number of images and metric: what the paper prints, and what was measured."""
    claims: list[str]
    """Of figure6: what the paper says of the curves, and whether it holds here."""
    files: list[Path]
    """The CSV, JSON, Markdown and SVG files written."""

    def __repr__(self) -> str:
        return f"Reproduced({len(self.rows)} rows, {len(self.files)} files)"


def reproduce(
    name: str,
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    backbone: str = "efficientnet_lite0",
    systems: Sequence[str] = (),
    seeds: int = 1,
    schedule: str = "short",
    provider: str = "cpu",
    threads: int | None = None,
    say: Callable[[str], None] = lambda sentence: None,
    progress: Shown = None,
    cluster: Workers | Conducts | None = None,
) -> Reproduced:
    """Measure a table or figure on the data at hand and write it to `output` as CSV, JSON, Markdown and SVG.

    What was finished before, in the same folder with the same settings, is not measured again (Roth et al., CVPR 2022,
    has the figures it stands beside).

    Args:
        name: table6, figure6, mvtec or shots.
        data: The folder that holds the data sets, each in a folder of its own (docs/reproduce.md).
        output: The folder for the tables, the figure and the finished cells; it is made where it is not there.
        backbone: The network that describes patches.
        systems: Only these rows, by their names in any case; none: all.
        seeds: Runs of each cell, with seeds 0, 1, ...
        schedule: How long trained systems train: short or published.
        provider: The hardware that runs the network.
        threads: Processors to use; None: all that are available.
        say: Called with a sentence for each cell that was measured.
        progress: None shows bars or lines on stderr, False nothing; a function is called with step, done and total.
        cluster: Machines that fit and score, from `blemish.connect`; images are then files that all of them can read.
            What they cannot fit is fitted here, which `say` is told.

    Returns:
        The rows of the table with their intervals, what the paper claims of them, and the files written.

    Raises:
        DataError: No data is there, or `output` cannot be made.
        OptionError: There is no such name or system.
        BackboneError: The network is missing or damaged.
    """
    if isinstance(cluster, Conducts):
        call = partial(reproduce, name, data, output, backbone=backbone, systems=systems, seeds=seeds)
        call = partial(call, schedule=schedule, provider=provider, threads=threads)
        return only(cluster.conduct(Once(call, tells=True), progress=progress, say=say))
    data, output = Path(data), Path(output)
    kind = REPRODUCTIONS.get(name)
    if kind is None:
        raise OptionError(f'There is no reproduction "{name}"; there are {", ".join(REPRODUCTIONS)}.')
    network = load_backbone(backbone).manifest.name
    try:
        finished = FinishedCells(output / "cells")
    except OSError as error:
        raise DataError(f"The folder {output} cannot be made: {error.strerror}.") from None
    _, resources = divide_options({"provider": provider, "threads": threads})
    entries = _chosen(kind.plan(data, output / "derived", {"backbone": backbone}), systems)
    entries = [_explained(entry, network, schedule) for entry in entries]
    with shown(progress) as report:
        outcomes = carry_out(entries, finished, resources, seeds=seeds, say=say, progress=report, cluster=cluster)
    rows = rows_of(outcomes, network)
    if kind.means:
        rows += mean_rows(outcomes, network, MVTEC_CLASSES)
    sentences = claims(outcomes) if kind.claims else []
    files = {
        "csv": as_csv(rows),
        "json": json.dumps({"rows": [asdict(row) for row in rows], "claims": sentences}, indent=1, allow_nan=False),
        "md": "\n".join([as_markdown(rows), *(f"- {sentence}" for sentence in sentences)]) + "\n",
        "svg": draw(kind.panels(outcomes)),
    }
    for suffix, text in files.items():
        write_whole(output / f"{name}.{suffix}", text.encode())
    return Reproduced(rows, sentences, [output / f"{name}.{suffix}" for suffix in files])


def _chosen(entries: Sequence[Entry], systems: Sequence[str]) -> list[Entry]:
    known = dict.fromkeys(entry.system.name for entry in entries)
    wanted = {system.lower() for system in systems}
    unknown = wanted - {name.lower() for name in known}
    if unknown:
        raise OptionError(f"There is no system {', '.join(sorted(unknown))} here; there are {', '.join(known)}.")
    return [entry for entry in entries if not wanted or entry.system.name.lower() in wanted]


def _explained(entry: Entry, network: str, schedule: str) -> Entry:
    """An entry with the options of its kind of method, and the differences to the paper that they make."""
    system, options, remarks = entry.system, dict(entry.options), list(entry.remarks)
    if system.network:
        options.pop("backbone")
        options["size"] = OPTIONS_OF[system.method].SIZE_OF_SCHEDULE[schedule]
        remarks.append(f"sees {options['size']} x {options['size']} pixels")
    elif entry.paper:
        remarks.append(f"paper's network: {system.paper_network}")
    if system.trained:
        options["schedule"] = schedule
        remarks.append(f"{schedule} schedule")
    return replace(entry, options=options, remarks=remarks)
