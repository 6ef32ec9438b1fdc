"""The images of a campaign: a few of each data set, copied to where both sides find them under the same names.

NAME/fit/       good images to fit on
NAME/line/      images to inspect, a third of them good
NAME/masks/     masks of the defective ones, mtd only
NAME/damaged/   half of an image file
NAME/labels.csv all of it, as `blemish fit` and `blemish evaluate` read it; mtd only
"""

import csv
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["lay_out"]


@dataclass(frozen=True)
class Images:
    """All images of a data set that a sample can be drawn from."""

    fit: Sequence[Path]
    good: Sequence[Path]
    """Good ones to inspect."""
    defective: Sequence[Path]


def lay_out(data: Path, target: Path, fit: int, line: int) -> list[str]:
    """Copy `fit` and `line` images of each data set that is there, and return their names."""
    there = [name for name in FINDERS if (data / name).is_dir()]
    for name in there:
        found = FINDERS[name](data / name)
        good = every(found.good, line // 3)
        defective = every(found.defective, line - len(good))
        folder = target / name
        fitted = copy(every(found.fit, fit), data / name, folder / "fit")
        inspected = copy([*good, *defective], data / name, folder / "line")
        damage(next(iter(fitted)), folder / "damaged")
        if name == "mtd":
            label(data / name, folder, fitted, inspected)
    return there


def every(paths: Sequence[Path], count: int) -> list[Path]:
    """`count` of the paths, evenly spread; all where there are fewer."""
    count = min(count, len(paths))
    return [paths[number * len(paths) // count] for number in range(count)]


def copy(paths: Iterable[Path], root: Path, folder: Path) -> dict[Path, Path]:
    """Copy images under names that tell them apart; returns where each copy came from."""
    folder.mkdir(parents=True)
    copies = {folder / "_".join(path.relative_to(root).parts): path for path in paths}
    for there, path in copies.items():
        shutil.copyfile(path, there)
    return copies


def damage(image: Path, folder: Path) -> None:
    folder.mkdir()
    content = image.read_bytes()
    (folder / f"half{image.suffix}").write_bytes(content[: len(content) // 2])


def label(mtd: Path, folder: Path, fitted: Mapping[Path, Path], inspected: Mapping[Path, Path]) -> None:
    """Write labels.csv, with the tile that each image shows as its group, and copy the masks it names."""
    with (mtd / "groups.csv").open(encoding="utf-8", newline="") as listed:
        tiles = {row["path"]: row["group"] for row in csv.DictReader(listed)}
    (folder / "masks").mkdir()
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split", "mask", "group"])
        for split, copies in (("train", fitted), ("test", inspected)):
            for there, path in copies.items():
                kind = path.parent.parent.name.removeprefix("MT_").lower()
                mask = Path() if kind == "free" else shutil.copyfile(path.with_suffix(".png"), mask_of(there))
                named = mask.relative_to(folder) if mask.name else ""
                tile = tiles[path.relative_to(mtd).as_posix()]
                rows.writerow([there.relative_to(folder), "good" if kind == "free" else kind, split, named, tile])


def mask_of(image: Path) -> Path:
    return image.parent.parent / "masks" / f"{image.stem}.png"


def magnetic_tile(root: Path) -> Images:
    listed = [root / name for name in (root / "train.txt").read_text(encoding="utf-8").split()]
    known = set(listed)
    good = [path for path in sorted(root.glob("MT_Free/Imgs/*.jpg")) if path not in known]
    return Images(listed, good, [path for path in sorted(root.glob("MT_*/Imgs/*.jpg")) if "MT_Free" not in path.parts])


def ped2(root: Path) -> Images:
    """Frames of the test clips are good before something comes into them; which, nothing here depends on."""
    train, test = sorted(root.glob("train/*/*.jpg")), sorted(root.glob("test/*/*.jpg"))
    return Images(train, test[::2], test[1::2])


def ball_screw(root: Path) -> Images:
    good, pitting = sorted(root.glob("test/good/*.*")), sorted(root.glob("test/pitting/*.*"))
    return Images(sorted(root.glob("train/good/*.*")), good, pitting)


FINDERS: dict[str, Callable[[Path], Images]] = {"mtd": magnetic_tile, "ped2": ped2, "bsd": ball_screw}
"""By the names of the folders."""
