"""What a protocol is: a data set as people find it, and the tasks that it sets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blemish.data.samples import Sample
from blemish.errors import DataError
from blemish.images.files import listed

__all__ = ["DataSet", "Task", "refuse_orphans"]


@dataclass(frozen=True)
class Task:
    """One model to fit on the samples of split `train` and to measure on those of split `test`."""

    name: str
    samples: list[Sample]
    options: Mapping[str, Any] = field(default_factory=dict)
    """The settings that the protocol fixes, such as the size of images."""
    scene: Callable[[Sample], str] | None = None
    """Where several scenes share the model: which one a sample shows, for metrics of each scene beside pooled ones."""

    @property
    def train(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.split == "train"]

    @property
    def test(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.split == "test"]


@dataclass(frozen=True)
class DataSet:
    """A published data set and the reader of its protocol."""

    key: str
    """Its short name, and the folder it is put into."""
    title: str
    home: str
    licence: str
    layouts: Sequence[Sequence[str]]
    """The forms it is found in, the published one first: each some patterns that all match something in its folder."""
    read: Callable[[Path, Path], list[Task]]
    """From its folder, and a folder for files derived from it, to tasks."""

    def find(self, root: Path) -> Path | None:
        """The folder that holds it: `root` itself, `root/key`, or another folder directly in `root`."""
        inside = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        candidates = [root, root / self.key, *inside]
        return next((folder for folder in candidates if self._is_in(folder)), None)

    def tasks(self, root: Path, derived: Path) -> list[Task]:
        """Its tasks. Raises DataError saying where to get it, its licence and where to put it."""
        folder = self.find(root)
        if folder is None:
            raise DataError(self.missing(root))
        return self.read(folder, derived)

    def missing(self, root: Path) -> str:
        """What to do where `root` does not hold it."""
        wanted = " and ".join(str(root / self.key / mark) for mark in self.layouts[0])
        return (
            f"{self.title} is not in {root}: get it from {self.home} (licence: {self.licence}) and unpack it so that "
            f"there is {wanted}."
        )

    def _is_in(self, folder: Path) -> bool:
        return any(all(any(folder.glob(mark)) for mark in layout) for layout in self.layouts)


def refuse_orphans(masks: Iterable[Path], image_of: Callable[[Path], Path]) -> None:
    """Raise DataError, listing them, for masks whose image is not there."""
    orphans = [mask for mask in masks if not image_of(mask).is_file()]
    if orphans:
        raise DataError(
            f"{listed(orphans)} without the image, such as {image_of(orphans[0])}; unpack the data set anew."
        )
