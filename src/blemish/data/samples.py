"""Read what is known about images: label, defect type, mask, group and split."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from blemish.errors import DataError, OptionError
from blemish.images.files import contents, list_images, listed
from blemish.system.address import Place, address_of, identity, place_of

__all__ = ["Labelled", "Sample", "labelled_samples", "match_masks", "read_pair", "read_samples"]

_GOOD_LABELS = frozenset({"0", "good", "ok", "false"})
_DEFECTIVE_LABELS = frozenset({"1", "bad", "defective", "ng", "true"})
_COLUMNS = ("path", "label", "split", "mask", "group")


@dataclass(frozen=True)
class Sample:
    """One image and what is known about it."""

    path: Place
    label: int
    """0 good, 1 defective."""
    defect: str
    """`good`, or the type of defect."""
    mask: Place | None
    """An image of the same size, above `mask_cut` where the defect is."""
    group: str
    """Pictures of one part share it; folds and resamples never divide a group."""
    split: Literal["train", "test"]
    mask_cut: float = 0.0
    """The share of the mask's brightest value that its defective pixels exceed; 0: any pixel above zero is one."""


Labelled: TypeAlias = str | os.PathLike[str] | Sequence[Sample]
"""A data set: a path that `read_samples` takes, or samples."""


def labelled_samples(
    data: Labelled | None,
    good: str | os.PathLike[str] | None = None,
    defective: str | os.PathLike[str] | None = None,
    masks: str | os.PathLike[str] | None = None,
) -> list[Sample]:
    """The labelled images of `data`, or of the folders `good` and `defective` with perhaps `masks`.

    Raises OptionError where both or neither were given, DataError as `read_samples` and `read_pair` do.
    """
    folders = good, defective, masks
    if data is not None and folders == (None, None, None):
        return read_samples(place_of(data)) if isinstance(data, str | os.PathLike) else list(data)
    if data is None and good is not None and defective is not None:
        return read_pair(place_of(good), place_of(defective), masks=None if masks is None else place_of(masks))
    raise OptionError("Give either DATA, or both --good and --defective (and perhaps --masks).")


def read_samples(source: Place) -> list[Sample]:
    """Read a data set from one path: a CSV file, a folder in the MVTec AD layout, or one holding a pair of folders.

    - `CATEGORY/` with `train/good`, `test/TYPE` and `ground_truth/TYPE/NAME_mask.png`;
    - a folder with `good/`, `defective/` and perhaps `masks/`, as `read_pair` takes them;
    - a CSV `path,label,split,mask,group`, paths relative to the CSV with either slash. A label is 0, 1, good, bad or
      the name of a defect. Without a label column an image with a mask is defective; split defaults to test, group to
      the path.

    Raises DataError, listing the files, for absent images, masks without image and defective images without mask
    (unless there are no masks at all).
    """
    if source.is_file():
        return _read_csv(source)
    if (source / "test").is_dir():
        return _read_mvtec(source)
    if (source / "good").is_dir() and (source / "defective").is_dir():
        masks = source / "masks"
        return read_pair(source / "good", source / "defective", masks=masks if masks.is_dir() else None)
    raise DataError(
        f"{source} is not a data set that can be read ({contents(source)}); give a folder with train/good and "
        "test/TYPE (MVTec AD), a folder with good/ and defective/, or a CSV with a path column."
    )


def read_pair(good: Place, defective: Place, *, masks: Place | None = None) -> list[Sample]:
    """Read a folder of good and a folder of defective images, both with all their sub-folders, as test samples.

    A defect's type is the sub-folder of `defective` it lies in, or that folder's own name. `masks` mirrors
    `defective`: the mask of `TYPE/NAME.jpg` is `TYPE/NAME.png` or `TYPE/NAME_mask.png`.
    Raises DataError as `read_samples` does, and for images that lie in both folders.
    """
    good_images, defective_images = list_images(good / "**" / "*"), list_images(defective / "**" / "*")
    shared = {path.resolve() for path in good_images} & {path.resolve() for path in defective_images}
    if shared:
        raise DataError(f"{listed(shared)} in both {good} and {defective}; give folders that do not overlap.")
    mask_of = {} if masks is None else match_masks(defective_images, defective, masks)

    def defect(path: Place) -> str:
        inside = path.relative_to(defective).parts
        return inside[0] if len(inside) > 1 else defective.resolve().name

    samples = [_sample(path, "good", "test") for path in good_images]
    return samples + [_sample(path, defect(path), "test", mask_of.get(path)) for path in defective_images]


def _sample(path: Place, defect: str, split: Literal["train", "test"], mask: Place | None = None) -> Sample:
    return Sample(path, int(defect != "good"), defect, mask, str(path), split)


def _read_mvtec(category: Place) -> list[Sample]:
    """Read one category in the layout of MVTec AD (Bergmann et al., CVPR 2019)."""
    train = list_images(category / "train" / "good")
    test = list_images(category / "test" / "*" / "*")
    truth = category / "ground_truth"
    defective = [path for path in test if path.parent.name != "good"]
    mask_of = match_masks(defective, category / "test", truth) if truth.is_dir() else {}
    samples = [_sample(path, "good", "train") for path in train]
    return samples + [_sample(path, path.parent.name, "test", mask_of.get(path)) for path in test]


def match_masks(images: Sequence[Place], images_root: Place, masks_root: Place) -> dict[Place, Place]:
    """Pair each defective image with the mask of the same relative name, with or without `_mask` at its end."""
    by_name: dict[str, list[Place]] = {}
    for image in images:
        by_name.setdefault(_relative_name(image, images_root), []).append(image)
    twins = [path for paths in by_name.values() if len(paths) > 1 for path in paths]
    if twins:
        raise DataError(f"{listed(twins)} alike but for the suffix, so masks cannot be told apart; rename them.")
    mask_of: dict[Place, Place] = {}
    orphans: list[Place] = []
    for mask in list_images(masks_root / "**" / "*"):
        name = _relative_name(mask, masks_root)
        owners = by_name.get(name) or by_name.get(name.removesuffix("_mask"))
        if owners is None:
            orphans.append(mask)
        else:
            mask_of[owners[0]] = mask
    if orphans:
        raise DataError(f"{listed(orphans)} without an image of that name under {images_root}; remove or rename.")
    _require_masks(images, mask_of, masks_root)
    return mask_of


def _require_masks(images: Iterable[Place], masked: Iterable[Place], where: Place) -> None:
    """Refuse a defective image without mask beside others that have one: its defect would count as good pixels."""
    have = set(masked)
    missing = [path for path in images if path not in have]
    if have and missing:
        raise DataError(f"{listed(missing)} defective but without mask in {where}; add the masks or remove them all.")


def _relative_name(path: Place, root: Place) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _read_csv(table: Place) -> list[Sample]:
    """Read a list of images with a header; columns may come in any order, and all but `path` may be missing."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
        with io.StringIO(text, newline="") as file:
            rows = csv.DictReader(file)
            columns = [name.strip().lower() for name in rows.fieldnames or []]
            _check_columns(table, columns)
            rows.fieldnames = columns
            samples = [_csv_sample(table, rows.line_num, row) for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} is not a CSV in UTF-8 ({error}); save it as CSV UTF-8.") from None
    _check_csv_files(table, samples)
    return samples


def _check_columns(table: Place, columns: Sequence[str]) -> None:
    unknown = [name for name in columns if name not in _COLUMNS]
    if "path" not in columns or unknown:
        raise DataError(
            f"{table} has the columns {', '.join(columns) or 'none'}; wanted is a first line with path and any of "
            f"{', '.join(_COLUMNS[1:])}, separated by commas."
        )


def _csv_sample(table: Place, line: int, row: dict[str, str | None]) -> Sample:
    """One line of a CSV; `line` is for messages."""
    cells = {name: (cell or "").strip() for name, cell in row.items() if name in _COLUMNS}
    if None in row or not cells["path"]:
        raise DataError(f"{table}, line {line}: no path or more cells than columns; quote cells that hold commas.")
    split = cells.get("split", "").lower() or "test"
    if split not in ("train", "test"):
        raise DataError(f'{table}, line {line}: split "{split}" is neither train nor test.')
    path = _csv_path(table, cells["path"])
    mask = _csv_path(table, cells["mask"]) if cells.get("mask") else None
    label = cells.get("label", "1" if mask else "0")
    if not label:
        raise DataError(f"{table}, line {line}: the label of {cells['path']} is empty; write 0, 1 or a defect's name.")
    return Sample(
        path=path,
        label=int(label.lower() not in _GOOD_LABELS),
        defect=_defect(label),
        mask=mask,
        group=cells.get("group") or str(path),
        split="train" if split == "train" else "test",
    )


def _defect(label: str) -> str:
    if label.lower() in _GOOD_LABELS:
        return "good"
    return "defective" if label.lower() in _DEFECTIVE_LABELS else label


def _csv_path(table: Place, cell: str) -> Place:
    # Lists made on Windows are read elsewhere too; a backslash inside a name is not worth losing that.
    return address_of(cell) or table.parent / cell.replace("\\", "/")


def _check_csv_files(table: Place, samples: Sequence[Sample]) -> None:
    """Raise DataError unless a list names images, all there, each once, defective ones all or never with a mask."""
    if not samples:
        raise DataError(f"{table} lists no images below its first line.")
    named = [path for sample in samples for path in (sample.path, sample.mask) if path is not None]
    absent = list(dict.fromkeys(path for path in named if not path.is_file()))
    if absent:
        raise DataError(f"{listed(absent)} named in {table} but absent; paths count from the folder of the CSV.")
    # One file by two paths, or by a link, is one image.
    places = Counter(identity(sample.path) for sample in samples)
    twice = list({identity(s.path): s.path for s in samples if places[identity(s.path)] > 1}.values())
    if twice:
        raise DataError(f"{listed(twice)} named more than once in {table}; keep one line for each image.")
    defective = [sample for sample in samples if sample.label and sample.split == "test"]
    _require_masks((s.path for s in defective), (s.path for s in defective if s.mask), table)
