"""Which of the known data sets lie in a folder."""

from pathlib import Path

from blemish.data.protocols.btad import BTAD
from blemish.data.protocols.kolektor import KOLEKTOR, KOLEKTOR2
from blemish.data.protocols.magnetic_tile import MAGNETIC_TILE
from blemish.data.protocols.mvtec import MVTEC
from blemish.data.protocols.ped2 import PED2
from blemish.data.protocols.shanghaitech import SHANGHAITECH
from blemish.data.protocols.tasks import DataSet, Task
from blemish.data.protocols.visa import VISA
from blemish.data.samples import read_samples
from blemish.errors import DataError

__all__ = ["DATA_SETS", "any_tasks"]

DATA_SETS: tuple[DataSet, ...] = (MAGNETIC_TILE, MVTEC, VISA, BTAD, KOLEKTOR, KOLEKTOR2, SHANGHAITECH, PED2)


def any_tasks(root: Path, derived: Path) -> list[Task]:
    """The tasks of all data sets in a folder, or the one task of a folder or CSV that `read_samples` takes.

    Raises DataError where nothing is found, listing what is known.
    """
    found = [task for data_set in DATA_SETS if data_set.find(root) for task in data_set.tasks(root, derived)]
    if found:
        return found
    if root.is_file() or (root / "train").is_dir():
        return [Task(root.stem, read_samples(root))]
    known = ", ".join(f"{data_set.title} ({data_set.key})" for data_set in DATA_SETS)
    raise DataError(f"{root} holds no data set that is known ({known}), is no folder with train/good and test, no CSV.")
