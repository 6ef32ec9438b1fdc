"""BTAD (Mishra et al., ISIE 2021): three products, good images in `ok`, defective ones in `ko`."""

from pathlib import Path

from blemish.data.protocols.tasks import DataSet, Task
from blemish.data.samples import Sample, match_masks
from blemish.images.files import list_images

__all__ = ["BTAD"]


def _read(folder: Path, derived: Path) -> list[Task]:
    products = sorted(path.parent.parent for path in folder.glob("*/train/ok"))
    return [Task(product.name, _product(product)) for product in products]


def _product(product: Path) -> list[Sample]:
    defective = list_images(product / "test" / "ko")
    masks = match_masks(defective, product / "test", product / "ground_truth")
    return [
        *(Sample(path, 0, "good", None, str(path), "train") for path in list_images(product / "train" / "ok")),
        *(Sample(path, 0, "good", None, str(path), "test") for path in list_images(product / "test" / "ok")),
        *(Sample(path, 1, "ko", masks[path], str(path), "test") for path in defective),
    ]


BTAD = DataSet(
    key="btad",
    title="BTAD (beanTech)",
    home="http://avires.dimi.uniud.it/papers/btad/btad.zip",
    licence="none named; ask its authors",
    layouts=(("*/train/ok", "*/test/ko", "*/ground_truth/ko"),),
    read=_read,
)
