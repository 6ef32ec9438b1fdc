"""MVTec AD (Bergmann et al., CVPR 2019): every category found, each a model of its own."""

from pathlib import Path

from blemish.data.protocols.tasks import DataSet, Task
from blemish.data.samples import read_samples

__all__ = ["MVTEC"]


def _read(folder: Path, derived: Path) -> list[Task]:
    categories = sorted(path.parent.parent for path in folder.glob("*/train/good"))
    return [Task(category.name, read_samples(category)) for category in categories]


MVTEC = DataSet(
    key="mvtec",
    title="MVTec AD",
    home="https://www.mvtec.com/company/research/datasets/mvtec-ad",
    licence="CC BY-NC-SA 4.0",
    layouts=(("*/train/good", "*/test/good", "*/ground_truth"),),
    read=_read,
)
