"""Magnetic Tile Defects (Huang, Qiu and Yuan, The Visual Computer 2020): table 6 of the PatchCore paper.

Two splits. `published` is DifferNet's (Rudolph et al., WACV 2021): 761 good images to train on, the other 191 and all
392 defective ones to test. `disjoint` is ours: each tile was shot under up to six exposures and its pictures bear
neighbouring numbers, and 190 of those 191 good images show a tile of the training list. So it trains on the good images
of 111 tiles, tests on those of 29 others and on all defective images, and leaves out the good images of tiles that also
have a defective one.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from blemish.data.protocols.tasks import DataSet, Task, refuse_orphans
from blemish.data.samples import Sample
from blemish.errors import DataError
from blemish.images.files import listed
from blemish.images.mask import read_mask

__all__ = ["DISJOINT", "MAGNETIC_TILE", "PUBLISHED", "read_magnetic_tile", "tiles"]

PUBLISHED, DISJOINT = "Magnetic Tile, published split", "Magnetic Tile, no tile in both halves"

OPTIONS = {"resize": "stretch"}
"""Tiles are cut to hundreds of sizes; as DifferNet did, all are brought to one, whatever their aspect."""

LISTS = ("train.txt", "mtd_train_filenames.txt")
"""DifferNet's list of training images, under the names it is known by: one image of MT_Free a line."""

NEW_TILE = 150
"""Numbers run on from shot to shot; a larger step begins another tile."""

MASK_CUT = 0.5
"""The masks carry faint specks: a pixel above half the brightest value is defective."""

# fmt: off
HELD_OUT_TILES = frozenset({
    17, 19, 31, 32, 51, 58, 67, 94, 107, 110, 116, 121, 124, 142, 143,
    145, 148, 151, 156, 157, 162, 174, 175, 184, 186, 196, 201, 202, 203,
})
# fmt: on
"""The tiles whose good images test the disjoint split, drawn once at random; counted from 1 in order of numbers."""


def read_magnetic_tile(folder: Path) -> list[Task]:
    """Both splits; the published one only where its list is there.

    Raises DataError for images without a number or mask, and for a list that names absent images.
    """
    images = sorted(folder.glob("MT_*/Imgs/*.jpg"))
    refuse_orphans(sorted(folder.glob("MT_*/Imgs/*.png")), lambda mask: mask.with_suffix(".jpg"))
    tile_of = tiles(images)
    masks = {path: _mask(path) for path in images if not _is_good(path)}
    touched = {tile_of[path] for path in masks}
    samples = [_sample(path, tile_of[path], masks.get(path)) for path in images]
    found = [_published(samples, listing) for name in LISTS if (listing := folder / name).is_file()]
    disjoint = [
        _in_split(sample, sample.label == 0 and int(sample.group) not in HELD_OUT_TILES)
        for sample in samples
        if sample.label or int(sample.group) not in touched
    ]
    return [*(Task(PUBLISHED, each, OPTIONS) for each in found[:1]), Task(DISJOINT, disjoint, OPTIONS)]


def tiles(images: Sequence[Path]) -> dict[Path, int]:
    """The tile each picture shows, counted from 1: a new one where the numbers in the names jump."""
    number_of = {path: _number(path) for path in images}
    tile_of: dict[Path, int] = {}
    tile, last = 0, None
    for path in sorted(images, key=number_of.__getitem__):
        if last is None or number_of[path] - last > NEW_TILE:
            tile += 1
        tile_of[path], last = tile, number_of[path]
    return tile_of


def _number(path: Path) -> int:
    found = re.search(r"_num_(\d+)$", path.stem)
    if found is None:
        raise DataError(f"{path} is not named as the data set names its images, such as exp1_num_10181.jpg.")
    return int(found[1])


def _is_good(path: Path) -> bool:
    return path.parent.parent.name == "MT_Free"


def _mask(image: Path) -> Path | None:
    """The mask of a defective image, or None where it marks nothing."""
    mask = image.with_suffix(".png")
    if not mask.is_file():
        raise DataError(f"{image} is defective but without its mask {mask.name} beside it; unpack the data set anew.")
    return mask if read_mask(mask).any() else None


def _sample(path: Path, tile: int, mask: Path | None) -> Sample:
    good = _is_good(path)
    defect = "good" if good else path.parent.parent.name.removeprefix("MT_")
    return Sample(path, int(not good), defect, mask, str(tile), "test", MASK_CUT)


def _published(samples: Sequence[Sample], listing: Path) -> list[Sample]:
    """The list's images train, in its order (the coreset's first row is drawn from it); all others test."""
    names = [Path(line.strip().replace("\\", "/")).name for line in listing.read_text(encoding="utf-8").splitlines()]
    by_name = {sample.path.name: sample for sample in samples if not sample.label}
    absent = [Path(name) for name in names if name and name not in by_name]
    if absent:
        raise DataError(f"{listed(absent)} named in {listing} but absent from MT_Free/Imgs; unpack the data set anew.")
    train = dict.fromkeys(name for name in names if name)
    tests = [sample for sample in samples if sample.label or sample.path.name not in train]
    return [_in_split(by_name[name], True) for name in train] + tests


def _in_split(sample: Sample, train: bool) -> Sample:
    return replace(sample, split="train" if train else "test")


def _read(folder: Path, derived: Path) -> list[Task]:
    return read_magnetic_tile(folder)


MAGNETIC_TILE = DataSet(
    key="mtd",
    title="Magnetic Tile Defects",
    home="https://github.com/abin24/Magnetic-tile-defect-datasets. (and the published split's list, "
    "mtd_train_filenames.txt, from https://github.com/marco-rudolph/differnet)",
    licence="none named; the authors ask to be cited",
    layouts=(("MT_Free/Imgs", "MT_Blowhole/Imgs"),),
    read=_read,
)
