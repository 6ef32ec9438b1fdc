"""Pictures of results, one file an image, in folders that mirror where the images lie."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from blemish.arrays import Array
from blemish.errors import DataError
from blemish.model.manifest import ModelManifest
from blemish.reports.reconstruction import GoodPictures, reasons_sheet
from blemish.result import Result
from blemish.system.whole_file import write_whole

__all__ = ["MaskFolder", "OverlayFolder", "ReasonsFolder"]


class _PictureFolder:
    """PNG files named like the images, below one folder; two images of one name keep apart by their own folders."""

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"The folder {folder} cannot be made: {error.strerror}.") from None
        self._folder = folder
        self._root = _common_folder(paths)

    def _write(self, image_path: str, picture: Array) -> None:
        image = Path(image_path).resolve()
        inside = image.relative_to(self._root or image.anchor)
        target = self._folder / inside.parent / f"{inside.name}.png"
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="PNG", compress_level=1)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, buffer.getvalue())
        except OSError as error:
            raise DataError(f"{target} cannot be written: {error.strerror or error}.") from None


def _common_folder(paths: Sequence[Path]) -> Path | None:
    """The deepest folder that holds all images; None where they lie on several drives."""
    try:
        return Path(os.path.commonpath([path.resolve().parent for path in paths]))
    except ValueError:
        return None


class OverlayFolder(_PictureFolder):
    """Heat map and outlines over each image, above a line that says verdict and score."""

    def add(self, result: Result) -> None:
        if result.error is None:
            self._write(result.path, result.overlay())


class ReasonsFolder(_PictureFolder):
    """Why: each image as the memory would have it, and its regions beside the good patches nearest to them."""

    def __init__(self, folder: Path, paths: Sequence[Path], manifest: ModelManifest) -> None:
        super().__init__(folder, paths)
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

    def add(self, result: Result) -> None:
        if result.mask is not None:
            self._write(result.path, result.mask.astype(np.uint8) * 255)
