"""Patches in a file with a name: a process that takes another's place finds them there and checks them."""

import errno
import hashlib
import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from blemish.arrays import Array, Floats
from blemish.errors import DataError, OptionError

__all__ = ["NamedRoom"]

READ_AT_ONCE = 1 << 24


class NamedRoom:
    """Room for patches, filled in chunks: each has a digest, by which what is in the file already is known again.

    `rounding` is how far any patch was moved by the type of number that the file holds, as of a `PatchStore`.
    Raises OptionError for a folder that cannot be written to, DataError for a full disk.
    """

    def __init__(self, path: Path, dtype: Literal["float32", "float16"] = "float32") -> None:
        self.rounding = 0.0
        self._path, self._dtype = path, np.dtype(dtype)
        self._dimension = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if path.exists() else "w+b")
        except OSError as error:
            raise OptionError(
                f"The spill folder {path.parent} cannot be written to ({error.strerror}); name another one."
            ) from error
        weakref.finalize(self, self._file.close)  # mapped views live on
        self._there = os.fstat(self._file.fileno()).st_size
        self._hash = hashlib.sha256()

    def keeps(self, patches: int, dimension: int, digest: str) -> bool:
        """Whether the next chunk is in the file already; if so, it counts from now on."""
        begin, length = self._file.tell(), patches * dimension * self._dtype.itemsize
        if begin + length <= self._there and self._digest(length) == digest:
            self._dimension = dimension
            return True
        self._there = 0
        self._file.seek(begin)
        return False

    def append(self, patches_ND: Floats) -> None:
        """Add patches to the chunk, over whatever the file held there."""
        self._dimension = patches_ND.shape[1]
        with np.errstate(over="ignore"):
            stored_ND = np.ascontiguousarray(patches_ND.astype(self._dtype))
        if self._dtype == np.float16:
            moved_ND = stored_ND.astype(np.float64) - patches_ND
            self.rounding = max(self.rounding, float(np.sqrt((moved_ND**2).sum(axis=1).max(initial=0.0))))
        self._hash.update(stored_ND.data)
        try:
            self._file.write(stored_ND.data)
            self._file.flush()
        except OSError as error:
            cause = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
            raise DataError(
                f"The patches could not be written to the spill folder {self._path.parent}: {cause}; free some of it, "
                f"or name another folder."
            ) from error

    def end_chunk(self) -> str:
        """The sha256 of the chunk that ends here."""
        digest, self._hash = self._hash.hexdigest(), hashlib.sha256()
        return digest

    def patches(self) -> Array:
        """All patches so far (N, d): a read-only view of the file."""
        self._file.truncate()
        count = self._file.tell() // (self._dimension * self._dtype.itemsize)
        return np.memmap(self._file, self._dtype, mode="r", shape=(count, self._dimension))

    def close(self) -> None:
        """Let go of the file, which stays."""
        self._file.close()

    def check_holds(self, patches: int) -> None:
        """A file holds any number."""

    def _digest(self, length: int) -> str:
        found = hashlib.sha256()
        while length:
            block = self._file.read(min(length, READ_AT_ONCE))
            if not block:
                break
            found.update(block)
            length -= len(block)
        return found.hexdigest()


def remove_all(paths: Sequence[Path]) -> None:
    """Delete files that are no longer needed."""
    for path in paths:
        path.unlink(missing_ok=True)
