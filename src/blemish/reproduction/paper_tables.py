"""The tables: table 6, and tables 1 to 3 and S1 to S3 on every category of MVTec AD that is at hand."""

from pathlib import Path
from typing import Any

from blemish.data.protocols.clips import LEVELS
from blemish.data.protocols.magnetic_tile import MAGNETIC_TILE, PUBLISHED
from blemish.data.protocols.mvtec import MVTEC
from blemish.data.protocols.ped2 import PED2
from blemish.data.protocols.shanghaitech import SHANGHAITECH
from blemish.errors import DataError
from blemish.reproduction.plan import METRICS, Entry
from blemish.reproduction.published import MSTC, MTD, MVTEC_CLASSES, Printed
from blemish.reproduction.systems import CAVGA, DIFFERNET, GANOMALY, NEAREST, PADIM, SPADE, patchcore

__all__ = ["plan_mvtec", "plan_table6"]

ON_TILES = (patchcore(10), DIFFERNET, NEAREST, GANOMALY, PADIM, SPADE)
"""The table's four, and two more that it has on the other data set only."""
ON_FRAMES = (patchcore(10), PADIM, SPADE, CAVGA)


def plan_table6(root: Path, derived: Path, options: dict[str, Any]) -> list[Entry]:
    """What the data at hand allows of it. Raises DataError, explaining, where neither data set is there."""
    entries = _tiles(root, derived, options) + _frames(root, derived, options)
    if not entries:
        raise DataError(f"{MAGNETIC_TILE.missing(root)} {SHANGHAITECH.missing(root)} {PED2.missing(root)}")
    return entries


def _tiles(root: Path, derived: Path, options: dict[str, Any]) -> list[Entry]:
    tasks = MAGNETIC_TILE.tasks(root, derived) if MAGNETIC_TILE.find(root) else []
    published = [task for task in tasks if task.name == PUBLISHED]
    return [
        Entry(system, task, ("image AUROC",), options=options, paper=_paper("image AUROC", MTD.get(system.name)))
        for task in published
        for system in ON_TILES
    ]


def _frames(root: Path, derived: Path, options: dict[str, Any]) -> list[Entry]:
    campus = SHANGHAITECH.find(root) is not None
    if not campus and PED2.find(root) is None:
        return []
    (task,) = (SHANGHAITECH if campus else PED2).tasks(root, derived)
    remarks = () if campus else (f"{task.name} in place of ShanghaiTech Campus, which is not at hand",)
    entries = []
    for system in ON_FRAMES:
        levels = {"taps": list(LEVELS)} if system.method == "patchcore" else {}
        own, paper = {**options, **levels}, _paper("pixel AUROC", MSTC.get(system.name))
        entries.append(Entry(system, task, ("pixel AUROC",), options=own, paper=paper, remarks=remarks))
    return entries


def _paper(metric: str, printed: Printed | None) -> dict[str, Printed]:
    return {metric: printed} if printed else {}


def plan_mvtec(root: Path, derived: Path, options: dict[str, Any]) -> list[Entry]:
    """Three sizes of the coreset. Raises DataError, explaining, where the data set is not there."""
    entries = []
    for task in MVTEC.tasks(root, derived):
        for system in (patchcore(25), patchcore(10), patchcore(1)):
            keys = {metric: (task.name, system.name, metric) for metric in METRICS}
            paper = {metric: MVTEC_CLASSES[key] for metric, key in keys.items() if key in MVTEC_CLASSES}
            entries.append(Entry(system, task, list(METRICS), options=options, paper=paper))
    return entries
