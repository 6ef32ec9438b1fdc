"""blemish reproduce: the paper's tables and figures on your data."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.cluster import ClusterAddress, reached
from blemish.cli.conducted import answer, elsewhere
from blemish.cli.console import in_language, print_json, progress_bar, say, tell
from blemish.cli.options import Force, Provider, Threads
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.reproduction.reproduction import Reproduced

__all__ = ["reproduce"]


class Name(StrEnum):
    """What can be reproduced."""

    table6 = "table6"
    figure6 = "figure6"
    mvtec = "mvtec"
    shots = "shots"


class Schedule(StrEnum):
    """How long trained systems train."""

    short = "short"
    published = "published"


def reproduce(
    name: Annotated[Name, typer.Argument(help="A table or figure of the PatchCore paper, or curves over few shots.")],
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets, each in a folder of its own.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables, figure and finished cells.")],
    backbone: Annotated[str, typer.Option(help="Network that describes patches.")] = "efficientnet_lite0",
    system: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Run only this system (a row's name); repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each cell, with seeds 0, 1, ...")] = 1,
    schedule: Annotated[Schedule, typer.Option(help="How long trained systems train.")] = Schedule.short,
    force: Force = False,
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    cluster: ClusterAddress = None,
    provider: Provider = "cpu",
    threads: Threads = None,
) -> None:
    """Measure what the PatchCore paper measures, on the data at hand, beside the paper's figures.

    table6 needs Magnetic Tile Defects, ShanghaiTech Campus or UCSD Ped2; figure6 and mvtec MVTec AD (figure6 takes
    Magnetic Tile in its place); shots any data set. An interrupted run goes on where it was.
    """
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    asked = {"backbone": backbone, "systems": system or [], "seeds": seeds, "schedule": schedule.value}
    asked |= {"provider": provider, "threads": threads}
    work = partial(_measured, name.value, data, output, asked)
    if elsewhere(cluster):
        work = partial(_claimed_and_measured, name.value, data, output, asked, force)
    else:
        _claim(name.value, output, force)
    with reached(cluster, threads=threads) as machines, progress_bar() as progress:
        reproduced: Reproduced = answer(work, machines, progress)
    if json:
        print_json({"rows": [asdict(row) for row in reproduced.rows], "claims": reproduced.claims})
        return
    for task in dict.fromkeys(row.task for row in reproduced.rows):
        header = "system", "images", "metric", "paper", "measured", "95 % interval"
        table = Table(*map(in_language, header), title=task)
        own = [row for row in reproduced.rows if row.task == task]
        for row in own:
            table.add_row(row.system, row.images, row.metric, row.paper, row.shown, row.shown_interval)
        Console().print(table)
        for remark in dict.fromkeys(f"{row.system}: {row.remark}" for row in own if row.remark):
            tell(remark)
    tell(f"network: {backbone}; seeds: {seeds}; all figures in per cent; a range is that of the seeds")
    for sentence in reproduced.claims:
        tell(sentence)
    say(f"wrote {', '.join(map(str, reproduced.files))}")


def _claim(name: str, output: Path, force: bool) -> None:
    """Claim all files that are written, where this runs. Raises DataError."""
    from blemish.reproduction.reproduction import FILES
    from blemish.system.outputs import Outputs

    outputs = Outputs((), force=force)
    for suffix, kind in FILES.items():
        outputs.claim_below(output, [output / f"{name}.{suffix}"], kind)


def _claimed_and_measured(
    name: str, data: Path, output: Path, asked: dict[str, Any], force: bool, *, cluster: Any, progress: Progress
) -> "Reproduced":
    _claim(name, output, force)
    return _measured(name, data, output, asked, cluster=cluster, progress=progress)


def _measured(
    name: str, data: Path, output: Path, asked: dict[str, Any], *, cluster: Any, progress: Progress
) -> "Reproduced":
    from blemish.reproduction.reproduction import reproduce

    return reproduce(name, data, output, **asked, say=say, progress=progress, cluster=cluster)
