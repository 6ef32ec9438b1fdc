"""Where training patches wait for the coreset: in memory within the budget, beyond it in a file.

The file has no name (or is deleted on close where the system knows no nameless files), so that
neither a full disk nor Ctrl-C leaves anything behind.
"""

import errno
import mmap
import tempfile
import weakref
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.errors import DataError, OptionError
from blemish.options.settings import Resources

__all__ = ["KeptPages", "PatchStore", "cause", "fit_into", "mapping", "patch_store", "take_rows", "write_all"]

SHARE = 0.5
"""Of a memory budget, what patches may take; the rest is for the bound's short vectors and the coreset's pools."""
TAKEN_AT_ONCE = 256


class PatchStore:
    """Room for `rows` patches of `dimension` numbers, filled in order by `append`; a context manager.

    Up to half the `memory` budget (bytes; None: no limit) they are kept in memory as float32; the other half is for
    the bound's short vectors and the coreset's pools. Beyond that they go to a file in `folder` (default: the
    system's temporary folder), as float32, or as float16 at half the size. `rounding` is then the largest distance
    any patch was moved by that: the stored coreset's covering radius differs from the true one by at most twice this.
    Raises OptionError for a folder that cannot be written to, DataError for a full disk.
    """

    def __init__(
        self,
        rows: int,
        dimension: int,
        *,
        memory: int | None = None,
        folder: Path | None = None,
        dtype: Literal["float32", "float16"] = "float32",
    ) -> None:
        self.rounding = 0.0
        self._count = 0
        self._capacity = rows
        self._memory = memory
        self.spilled = memory is not None and not fit_into(memory, rows * dimension)
        self._file: FileIO | None = None
        self._dtype = np.dtype(dtype if self.spilled else np.float32)
        self._dimension = dimension
        self._array_ND: Array = np.empty((0 if self.spilled else rows, dimension), np.float32)
        if self.spilled:
            try:
                # Without a buffer: what a full disk refused would be tried again when the file is closed.
                self._file = tempfile.TemporaryFile(buffering=0, dir=folder, prefix="blemish-")  # noqa: SIM115
            except OSError as error:
                where = folder or tempfile.gettempdir()
                raise OptionError(
                    f"the spill folder {where} cannot be written to ({error.strerror}); name another one"
                ) from error
            # A store that nobody closes gives its file back with itself; mapped views live on.
            weakref.finalize(self, self._file.close)

    def check_holds(self, patches: int) -> None:
        """Raise OptionError unless the budget holds this many patches at once: those of one image must fit."""
        needed = round(patches * self._dimension * 4 / SHARE)
        if self._memory is not None and needed > self._memory:
            raise OptionError(
                f"memory={self._memory} (bytes) is too small for the patches of one image; "
                f"give at least {-(-needed // 10**5) / 10:.1f}MB"
            )

    def append(self, patches_ND: Floats) -> None:
        """Add patches behind those already there."""
        end = self._count + len(patches_ND)
        assert end <= self._capacity, f"{end} patches do not fit into room made for {self._capacity}"
        if self._file is None:
            self._array_ND[self._count : end] = patches_ND
        else:
            self._write(patches_ND)
        self._count = end

    def _write(self, patches_ND: Floats) -> None:
        assert self._file is not None
        with np.errstate(over="ignore"):
            stored_ND = patches_ND.astype(self._dtype)
        if self._dtype == np.float16:
            moved_ND = stored_ND.astype(np.float64) - patches_ND
            self.rounding = max(self.rounding, float(np.sqrt((moved_ND**2).sum(axis=1).max(initial=0.0))))
        try:
            write_all(self._file, np.ascontiguousarray(stored_ND).tobytes())
        except OSError as error:
            self.close()
            size = self._capacity * self._dimension * self._dtype.itemsize
            raise DataError(
                f"the patches could not be written to the spill folder: {cause(error)}; "
                f"free {size / 1e9:.1f} GB or name another folder"
            ) from error

    def patches(self) -> Array:
        """All patches so far (N, d): an array, or a read-only view of the file, valid until `close`."""
        if self._file is None:
            return self._array_ND[: self._count]
        return np.memmap(self._file, self._dtype, mode="r", shape=(self._count, self._dimension))

    def close(self) -> None:
        """Forget the patches and free the disk."""
        self._array_ND = np.empty((0, self._dimension), np.float32)
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fit_into(memory: int, numbers: int) -> bool:
    """Whether patches of so many numbers, as float32, may be kept in memory within this budget of bytes."""
    return 4 * numbers <= SHARE * memory


def write_all(file: FileIO, content: bytes) -> None:
    """Write all of it, in as many pieces as the system takes it."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def cause(error: OSError) -> str:
    """Why a file could not be written, in a few words."""
    return "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)


def patch_store(rows: int, dimension: int, resources: Resources) -> PatchStore:
    """Room for patches, within the memory budget."""
    return PatchStore(
        rows, dimension, memory=resources.memory, folder=resources.spill_folder, dtype=resources.spill_type
    )


class KeptPages(mmap.mmap):
    """A file that memory has room for: what is a view of it counts as an array in memory."""


def mapping(patches_ND: Array) -> mmap.mmap | None:
    """The file an array is a view of, or None for an array in memory."""
    base: object = patches_ND
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, mmap.mmap) and not isinstance(base, KeptPages) else None


def take_rows(patches_ND: Array, where_P: Ints) -> Floats:
    """Copy rows (P, d) as float32, handing the pages of a file back on the way.

    The system maps dozens of pages around each one read: a few thousand rows far apart would make all of the file
    count as this process's memory.
    """
    file = mapping(patches_ND)
    if file is None or not hasattr(file, "madvise"):
        return np.ascontiguousarray(patches_ND[where_P], np.float32)
    rows_PD = np.empty((len(where_P), patches_ND.shape[1]), np.float32)
    for start in range(0, len(where_P), TAKEN_AT_ONCE):
        part = slice(start, start + TAKEN_AT_ONCE)
        rows_PD[part] = patches_ND[where_P[part]]
        file.madvise(mmap.MADV_DONTNEED)
    return rows_PD
