"""Patches in a file with a name: a process that takes another's place finds them there and checks them."""

import hashlib
import mmap
import os
import platform
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from blemish.arrays import Array, Floats
from blemish.errors import DataError, OptionError
from blemish.memory.spill import KeptPages, cause, write_all

__all__ = ["NamedRoom", "remove_all"]

READ_AT_ONCE = 1 << 24


class NamedRoom:
    """Room for patches, filled in chunks: each has a digest, by which what is in the file already is known again.

    Raises OptionError for a folder that cannot be written to, DataError for a full disk.
    """

    def __init__(self, path: Path, dtype: Literal["float32", "float16"] = "float32") -> None:
        self._path, self._dtype = path, np.dtype(dtype)
        self._dimension = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer: what a full disk refused would be tried again when the file is closed.
            self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        except OSError as error:
            raise OptionError(
                f"The spill folder {path.parent} of the machine {platform.node()} cannot be written to "
                f"({error.strerror}); name another one."
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
        self._hash.update(stored_ND.data)
        try:
            write_all(self._file, stored_ND.tobytes())
        except OSError as error:
            raise DataError(
                f"The patches could not be written to the spill folder {self._path.parent} of the machine "
                f"{platform.node()}: {cause(error)}; free some of it, or name another folder, then repeat the command."
            ) from error

    def end_chunk(self) -> str:
        """The sha256 of the chunk that ends here."""
        digest, self._hash = self._hash.hexdigest(), hashlib.sha256()
        return digest

    @property
    def numbers(self) -> int:
        """How many numbers all patches so far have together."""
        return self._file.tell() // self._dtype.itemsize

    def patches(self, *, in_memory: bool) -> Array:
        """All patches so far (N, d): as float32 in memory, or a read-only view of the file as it is.

        In memory they are the pages that the system keeps of the file, where those hold float32: no second copy is
        made, and a machine that is short of memory still can take them back.
        """
        self._file.truncate()
        pages = (KeptPages if in_memory else mmap.mmap)(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        stored_ND = np.frombuffer(pages, self._dtype).reshape(-1, self._dimension)
        return np.asarray(stored_ND, np.float32) if in_memory else stored_ND

    def close(self) -> None:
        """Let go of the file, which stays."""
        self._file.close()

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
