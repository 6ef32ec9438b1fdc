"""Tables 1 to 3 and S1 to S3: PatchCore on every category of MVTec AD that is at hand."""

from pathlib import Path
from typing import Any

from blemish.data.protocols.mvtec import MVTEC
from blemish.reproduction.plan import METRICS, Entry
from blemish.reproduction.published import MVTEC_CLASSES
from blemish.reproduction.systems import patchcore

__all__ = ["plan_mvtec"]


def plan_mvtec(root: Path, derived: Path, options: dict[str, Any]) -> list[Entry]:
    """Three sizes of the coreset. Raises DataError, explaining, where the data set is not there."""
    entries = []
    for task in MVTEC.tasks(root, derived):
        for system in (patchcore(25), patchcore(10), patchcore(1)):
            keys = {metric: (task.name, system.name, metric) for metric in METRICS}
            paper = {metric: MVTEC_CLASSES[key] for metric, key in keys.items() if key in MVTEC_CLASSES}
            entries.append(Entry(system, task, list(METRICS), options=options, paper=paper))
    return entries
