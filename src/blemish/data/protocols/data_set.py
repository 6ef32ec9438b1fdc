"""A data set as people find it: where to get it, under which licence, and how to tell that a folder holds it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blemish.data.protocols.task import Task
from blemish.errors import DataError

__all__ = ["DataSet"]


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
