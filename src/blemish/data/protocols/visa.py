"""VisA (Zou et al., ECCV 2022): the one-class split of split_csv/1cls.csv, each object a model of its own."""

import csv
from pathlib import Path

from blemish.data.protocols.tasks import DataSet, Task
from blemish.data.samples import Sample
from blemish.errors import DataError
from blemish.images.files import listed

__all__ = ["VISA"]

COLUMNS = ("object", "split", "label", "image", "mask")


def _read(folder: Path, derived: Path) -> list[Task]:
    table = folder / "split_csv" / "1cls.csv"
    with table.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise DataError(f"{table} has not the columns {', '.join(COLUMNS)}; take the one of the data set's authors.")
    samples: dict[str, list[Sample]] = {}
    for row in rows:
        samples.setdefault(row["object"], []).append(_sample(folder, row))
    absent = [path for row in rows for path in _files(folder, row) if not path.is_file()]
    if absent:
        raise DataError(f"{listed(absent)} named in {table} but absent; unpack the data set anew.")
    return [Task(name, samples[name]) for name in sorted(samples)]


def _files(folder: Path, row: dict[str, str]) -> list[Path]:
    return [folder / row[column] for column in ("image", "mask") if row[column]]


def _sample(folder: Path, row: dict[str, str]) -> Sample:
    """One line; masks number the kinds of defects from 1, so that whatever is above 0 is defective."""
    path, defective = folder / row["image"], row["label"] != "normal"
    mask = folder / row["mask"] if row["mask"] else None
    defect = "anomaly" if defective else "good"
    return Sample(path, int(defective), defect, mask, str(path), "train" if row["split"] == "train" else "test")


VISA = DataSet(
    key="visa",
    title="VisA",
    home="https://github.com/amazon-science/spot-diff",
    licence="CC BY 4.0",
    layouts=(("split_csv/1cls.csv", "*/Data/Images/Normal"),),
    read=_read,
)
