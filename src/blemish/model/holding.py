"""Hold a model file while it is changed or made anew, so that no other process does the same and loses the work."""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from blemish.errors import ModelFileError
from blemish.system.address import Address, Place, address_of
from blemish.system.whole_file import changing

__all__ = ["ModelTarget", "model_to_change", "model_to_write"]


@contextmanager
def model_to_change(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Hold a model file that will be read, changed and written again; gives the file itself where `path` is a link.

    Raises ModelFileError where there is none, where it is read-only, where another process is changing it, or where
    it is in a bucket.
    """
    file = _changeable(path).resolve()
    if not file.is_file():
        raise ModelFileError(f"{path} is no file; blemish fit makes model files.")
    # Renaming would replace a read-only file; and to an administrator everything seems writable.
    if not file.stat().st_mode & stat.S_IWUSR or not os.access(file, os.W_OK):
        raise ModelFileError(f"{path} is read-only; make it writable, or copy it and change the copy.")
    if not os.access(file.parent, os.W_OK):
        raise ModelFileError(
            f"The folder {file.parent} is read-only, so {path} cannot be written anew; nothing changed."
        )
    try:
        with changing(file):
            yield file
    except BlockingIOError:
        raise ModelFileError(f"{path} is being changed by another process; try again when that has ended.") from None


def _changeable(path: str | os.PathLike[str]) -> Path:
    """The path of a model that may be changed in place. Raises ModelFileError for one in a bucket."""
    if address := address_of(path):
        raise ModelFileError(
            f"{address} is in a bucket, where nothing keeps two processes from changing it at once; copy it here, "
            f"change it, and copy it back."
        )
    return Path(path)


@dataclass(frozen=True)
class ModelTarget:
    """Where a model will be written once it is made, and the file that was there when the making began."""

    file: Place
    before: os.stat_result | None

    def fill(self, save: Callable[[Place], None]) -> None:
        """Call `save` with the path to write; where another run has begun to change a model there, with one beside it.

        Raises ModelFileError, naming the path beside, in that case.
        """
        if isinstance(self.file, Address) or self._is_as_before(self.file):
            save(self.file)
            return
        try:
            with changing(self.file):
                save(self.file)
        except BlockingIOError:
            beside = self.file.with_name(f"{self.file.stem}.{secrets.token_hex(4)}{self.file.suffix}")
            save(beside)
            raise ModelFileError(
                f"{self.file} was made by another process in the meantime, which is changing it now; the model of this "
                f"run is in {beside}: use it there, or rename it."
            ) from None

    def _is_as_before(self, file: Path) -> bool:
        try:
            now = file.stat()
        except FileNotFoundError:
            return True
        return self.before is not None and os.path.samestat(now, self.before)


@contextmanager
def model_to_write(path: str | os.PathLike[str], *, anew: bool = True) -> Iterator[ModelTarget]:
    """Hold a model file that will be written anew, from before the work begins, where there is one.

    Changes of it by other processes are refused that long: they would be lost. Raises ModelFileError where another
    process is changing it, or where it is read-only. In a bucket nothing is held, so that one that is not made `anew`,
    but out of what is there, is refused.
    """
    if anew and (address := address_of(path)):
        yield ModelTarget(address, None)
        return
    file = _changeable(path).resolve()
    with model_to_change(path) if file.is_file() else nullcontext():
        yield ModelTarget(file, file.stat() if file.is_file() else None)
