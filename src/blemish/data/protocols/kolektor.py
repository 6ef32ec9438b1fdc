"""KolektorSDD (Tabernik et al., JIM 2019) and KolektorSDD2 (Bozic et al., Computers in Industry 2021).

Both were published for supervised learning. KolektorSDD has no fixed split: here the good images of the first two
thirds of its 50 commutators train and all images of the others test, so that no commutator is in both. KolektorSDD2's
own split is kept, without the defective training images.
"""

from pathlib import Path

from blemish.data.protocols.tasks import DataSet, Task, refuse_orphans
from blemish.data.samples import Sample
from blemish.errors import DataError
from blemish.images.mask import read_mask

__all__ = ["KOLEKTOR", "KOLEKTOR2"]


def _read_first(folder: Path, derived: Path) -> list[Task]:
    items = sorted(path for path in folder.glob("kos*") if path.is_dir())
    refuse_orphans(sorted(folder.glob("kos*/*_label.bmp")), lambda mask: _image(mask, "_label", ".jpg"))
    training = items[: round(len(items) * 2 / 3)]
    samples = [
        _sample(path, path.with_name(f"{path.stem}_label.bmp"), item.name, train=item in training)
        for item in items
        for path in sorted(item.glob("*.jpg"))
    ]
    return [Task("KolektorSDD", _usable(samples))]


def _read_second(folder: Path, derived: Path) -> list[Task]:
    refuse_orphans(sorted(folder.glob("t*/*_GT.png")), lambda mask: _image(mask, "_GT", ".png"))
    samples = [
        _sample(path, path.with_name(f"{path.stem}_GT.png"), str(path), train=split == "train")
        for split in ("train", "test")
        for path in sorted((folder / split).glob("*.png"))
        if not path.stem.endswith("_GT")
    ]
    return [Task("KolektorSDD2", _usable(samples))]


def _sample(path: Path, mask: Path, group: str, *, train: bool) -> Sample:
    """An image is defective where its mask marks anything."""
    if not mask.is_file():
        raise DataError(f"{path} is without its mask {mask.name} beside it; unpack the data set anew.")
    defective = bool(read_mask(mask).any())
    defect = "defect" if defective else "good"
    return Sample(path, int(defective), defect, mask if defective else None, group, "train" if train else "test")


def _image(mask: Path, ending: str, suffix: str) -> Path:
    return mask.with_name(mask.stem.removesuffix(ending) + suffix)


def _usable(samples: list[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.split == "test" or not sample.label]


KOLEKTOR = DataSet(
    key="kolektor",
    title="KolektorSDD",
    home="https://www.vicos.si/resources/kolektorsdd/",
    licence="CC BY-NC-SA 4.0",
    layouts=(("kos*/*_label.bmp",),),
    read=_read_first,
)
KOLEKTOR2 = DataSet(
    key="kolektor2",
    title="KolektorSDD2",
    home="https://www.vicos.si/resources/kolektorsdd2/",
    licence="CC BY-NC-SA 4.0",
    layouts=(("train/*_GT.png", "test/*_GT.png"),),
    read=_read_second,
)
