"""Pictures of results, one file an image, in folders that mirror where the images lie."""

import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from blemish.arrays import Array
from blemish.errors import DataError
from blemish.model.manifest import ModelManifest
from blemish.reports.reconstruction import GoodPictures, reasons_sheet
from blemish.result import Result
from blemish.system.address import Place
from blemish.system.outputs import Kind, Outputs
from blemish.system.whole_file import write_whole

__all__ = ["MaskFolder", "OverlayFolder", "ReasonsFolder", "claim_pictures"]

_MARK = "blemish"
"""The PNG text that says what a picture is, so that none is written over one of another kind, or over a photograph."""
_HEAD = 256
"""Bytes from the start of a PNG file that hold it."""
LONGEST, TELLING = 255, 16
"""Bytes that the name of a file may have, and digits that tell apart the pictures of images of longer names."""


class _PictureFolder:
    """PNG files named like the images, below one folder; two images of one name keep apart by their own folders.

    Where folders of several kinds are one, `apart` puts the kind into the names too.
    """

    KIND: ClassVar[str]

    def __init__(self, folder: Path, paths: Sequence[Place], *, apart: bool = False) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"The folder {folder} cannot be made: {error.strerror}.") from None
        self._folder = folder
        self._root = _common_folder(paths)
        self._ending = _ending(self.KIND, apart)

    def _write(self, image_path: str, picture: Array) -> None:
        target = _target(self._folder, self._root, Path(image_path), self._ending)
        buffer = io.BytesIO()
        mark = PngInfo()
        mark.add_text(_MARK, self.KIND)
        Image.fromarray(picture).save(buffer, format="PNG", compress_level=1, pnginfo=mark)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, buffer.getvalue())
        except OSError as error:
            raise DataError(f"{target} cannot be written: {error.strerror or error}.") from None


def claim_pictures(
    outputs: Outputs, folders: Iterable[tuple[type[_PictureFolder], Path]], paths: Sequence[Place]
) -> bool:
    """Claim the pictures of all images below each kind's folder; True where one folder serves several kinds.

    Raises DataError where one of them would be written over an input, or over a picture that is not of its kind.
    """
    chosen = list(folders)
    apart = len({folder.resolve() for _, folder in chosen}) < len(chosen)
    root = _common_folder(paths)
    for kind, folder in chosen:
        targets = (_target(folder, root, Path(path), _ending(kind.KIND, apart)) for path in paths)
        outputs.claim_below(folder, targets, _picture_kind(kind.KIND))
    return apart


def _picture_kind(name: str) -> Kind:
    def holds(path: Path) -> bool:
        with path.open("rb") as file:
            return f"tEXt{_MARK}\0{name}".encode() in file.read(_HEAD)

    return Kind(f"a picture of the kind {name}", holds)


def _ending(kind: str, apart: bool) -> str:
    return f".{kind}.png" if apart else ".png"


def _target(folder: Path, root: Path | None, path: Path, ending: str) -> Path:
    """Where the picture of an image goes."""
    image = path.resolve()
    inside = image.relative_to(root or image.anchor)
    return folder / inside.parent / _short(inside.name, ending)


def _short(name: str, ending: str) -> str:
    """The name of an image's picture: where it were too long, its start and what tells it from others of that start."""
    if len(os.fsencode(name + ending)) <= LONGEST:
        return name + ending
    told = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:TELLING]}{ending}"
    start = os.fsencode(name)[: LONGEST - len(told)]
    return start.decode("utf-8", errors="ignore") + told


def _common_folder(paths: Sequence[Place]) -> Path | None:
    """The deepest folder that holds all images; None where they lie on several drives."""
    try:
        return Path(os.path.commonpath([Path(path).resolve().parent for path in paths]))
    except ValueError:
        return None


class OverlayFolder(_PictureFolder):
    """Heat map and outlines over each image, above a line that says verdict and score."""

    KIND = "overlay"

    def add(self, result: Result) -> None:
        if result.error is None:
            self._write(result.path, result.overlay())


class ReasonsFolder(_PictureFolder):
    """Why: each image as the memory would have it, and its regions beside the good patches nearest to them."""

    KIND = "reasons"

    def __init__(self, folder: Path, paths: Sequence[Place], manifest: ModelManifest, *, apart: bool = False) -> None:
        super().__init__(folder, paths, apart=apart)
        self._pictures = GoodPictures(manifest)

    @property
    def missing(self) -> dict[str, str]:
        """Training images that are not there any more and are drawn grey, and why."""
        return self._pictures.missing

    def add(self, result: Result) -> None:
        if result.error is None:
            self._write(result.path, reasons_sheet(result.image(), result, self._pictures))


class MaskFolder(_PictureFolder):
    """The regions of each image: 255 inside, 0 outside."""

    KIND = "mask"

    def add(self, result: Result) -> None:
        if result.mask is not None:
            self._write(result.path, result.mask.astype(np.uint8) * 255)
