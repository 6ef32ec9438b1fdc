"""Exact pixel AUROC and AUPRO over any number of pixels, in bounded memory.

Float32 scores have an order-preserving image in uint32: equal scores, equal keys. Keys are spilled to a temporary file
in sorted runs and come back by their upper 16 bits, one bucket after the other from the highest; in a bucket only
65,536 keys are possible, so counting them is exact, joins ties, and needs the same memory for a thousand pixels or a
trillion.

PRO at a threshold is the mean, over the components of the ground truth, of the share of each that is found. So a
defective pixel adds 1 / (size of its component) once the threshold reaches its score, and nothing else about the
component need be remembered.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.errors import DataError

__all__ = ["FPR_LIMIT", "PixelCurve", "PixelScores", "ordered_keys"]

FPR_LIMIT = 0.3
"""AUPRO's usual bound on the false positive rate (Bergmann et al., IJCV 2021)."""

_CELLS = 1 << 16
_RUN = 1 << 22
"""Records sorted and spilled together: 16 MB of good pixels, 32 MB of defective ones."""


@dataclass(frozen=True)
class PixelScores:
    """What all pixels of all images together say."""

    auroc: float
    aupro: float
    """Area under PRO over the false positive rate up to `limit`, divided by `limit`."""
    limit: float
    pixels: int
    """Pixels looked at, good and defective."""
    defective: int
    components: int
    """8-connected components of the masks that were looked at, at least in part."""
    unseen: float
    """Share of the defective pixels that were not looked at (NaN in the map) and so are left out."""


class PixelCurve:
    """Takes anomaly maps with their masks one by one, then answers for all their pixels.

    Use it in a `with` statement: its temporary files have no name (on Windows, are deleted on close) and vanish with
    the process, however that ends.
    """

    def __init__(self) -> None:
        self._good = _Runs(np.uint32)
        # A defective record is its key above the size of its component.
        self._defective = _Runs(np.uint64)
        self._components = 0
        self._unseen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._good.close()
        self._defective.close()

    def add(self, anomaly_map: Floats, mask: Bools) -> None:
        """Take one image: H x W scores, NaN where it was not looked at, and an H x W mask, true where defective.

        Raises DataError if the shapes differ or the temporary folder is full.
        """
        if anomaly_map.shape != mask.shape or mask.ndim != 2:
            raise DataError(f"A map of shape {anomaly_map.shape} came with a mask of shape {mask.shape}.")
        keys = ordered_keys(anomaly_map)
        seen = ~np.isnan(anomaly_map)
        self._good.add(keys[seen & ~mask])
        if not mask.any():
            return
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        found = seen & mask
        sizes = np.bincount(labels[found], minlength=count)
        self._defective.add((keys[found].astype(np.uint64) << np.uint64(32)) | sizes[labels[found]].astype(np.uint64))
        self._components += int(np.count_nonzero(sizes))
        self._unseen += int(np.count_nonzero(mask & ~seen))

    def scores(self, *, limit: float = FPR_LIMIT) -> PixelScores:
        """Both areas, exactly as if all pixels were sorted: equal scores enter together, the last step is interpolated.

        Raises DataError, in words, unless both good and defective pixels were added.
        """
        good, defective = len(self._good), len(self._defective)
        if not good or not defective:
            raise DataError(
                f"Pixel metrics need good and defective pixels; {good} good and {defective} defective were looked at."
            )
        roc, pro = _Area(float(good)), _Area(limit * good)
        for step in self._steps():
            roc.extend(step.good, step.defective)
            pro.extend(step.good, step.overlap)
        return PixelScores(
            auroc=roc.area / (good * defective),
            aupro=pro.area / (limit * good * self._components),
            limit=limit,
            pixels=good + defective,
            defective=defective,
            components=self._components,
            unseen=self._unseen / (self._unseen + defective),
        )

    def _steps(self) -> "Iterator[_Step]":
        """What enters at each distinct score, bucket by bucket, from the highest down."""
        for bucket in sorted(self._good.buckets() | self._defective.buckets(), reverse=True):
            good, defective, overlap = np.zeros(_CELLS, np.int64), np.zeros(_CELLS, np.int64), np.zeros(_CELLS)
            for keys in self._good.read(bucket):
                good += np.bincount(keys & 0xFFFF, minlength=_CELLS)
            for records in self._defective.read(bucket):
                cells = (records >> np.uint64(32)).astype(np.int64) & 0xFFFF
                defective += np.bincount(cells, minlength=_CELLS)
                overlap += np.bincount(cells, 1 / (records & np.uint64(0xFFFFFFFF)), minlength=_CELLS)
            used = np.flatnonzero(good + defective)[::-1]
            yield _Step(good[used], defective[used], overlap[used])


class _Step(NamedTuple):
    """For each of some distinct scores, falling: good and defective pixels, and overlap with components, that enter."""

    good: Ints
    defective: Ints
    overlap: Doubles


class _Area:
    """The area under a rising curve that comes in pieces, by trapezoids, from x = 0 up to `limit`."""

    def __init__(self, limit: float) -> None:
        self.area = 0.0
        self._limit = limit
        self._x = 0.0
        self._y = 0.0

    def extend(self, dx: Array, dy: Array) -> None:
        """Go on by the steps (dx, dy), one after the other."""
        x, y = self._x + np.cumsum(dx), self._y + np.cumsum(dy)
        width = np.clip(self._limit - (x - dx), 0, dx)
        # Where the limit cuts a step, the curve is followed along the straight line up to the cut.
        climbed = dy * np.divide(width, dx, out=np.zeros(len(dx)), where=dx > 0)
        self.area += float(np.sum(width * (y - dy + climbed / 2)))
        self._x, self._y = float(x[-1]), float(y[-1])


class _Runs:
    """Unsigned records kept in a temporary file as sorted runs; a record's highest 16 bits are its bucket."""

    def __init__(self, kind: type[np.unsignedinteger[Any]]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  PixelCurve closes it
        self._pending: NDArray[np.unsignedinteger[Any]] = np.empty(_RUN, kind)
        self._filled = 0
        self._written = 0
        # Per run, bucket -> (first record, records); only buckets in use, a few hundred in practice.
        self._index: list[dict[int, tuple[int, int]]] = []

    def __len__(self) -> int:
        return self._written + self._filled

    def close(self) -> None:
        self._file.close()

    def add(self, records: Array) -> None:
        """Keep records, spilling whenever a run is full."""
        start = 0
        while start < len(records):
            taken = min(_RUN - self._filled, len(records) - start)
            self._pending[self._filled : self._filled + taken] = records[start : start + taken]
            self._filled += taken
            start += taken
            if self._filled == _RUN:
                self._spill()

    def buckets(self) -> set[int]:
        """The buckets that hold records; to be asked after the last `add`."""
        self._spill()
        return {bucket for run in self._index for bucket in run}

    def read(self, bucket: int) -> Iterator[Array]:
        """The records of one bucket from all runs, joined into few pieces; each is valid until the next."""
        # Nothing is pending now, so that memory serves again.
        joined, filled = self._pending, 0
        for first, count in (run[bucket] for run in self._index if bucket in run):
            if filled + count > len(joined):
                yield joined[:filled]
                filled = 0
            self._file.seek(first * joined.itemsize)
            self._file.readinto(joined[filled : filled + count].data)
            filled += count
        if filled:
            yield joined[:filled]

    def _spill(self) -> None:
        """Sort what is pending, append it to the file and note where each bucket begins."""
        run = self._pending[: self._filled]
        run.sort()
        bucket = (run >> np.array(8 * run.itemsize - 16, run.dtype)).astype(np.uint16)
        starts = np.flatnonzero(np.concatenate([[self._filled > 0], bucket[1:] != bucket[:-1]])[: self._filled])
        counts = np.diff(starts, append=self._filled)
        places = zip((self._written + starts).tolist(), counts.tolist(), strict=True)
        self._index.append(dict(zip(bucket[starts].tolist(), places, strict=True)))
        self._write(run)
        self._written += self._filled
        self._filled = 0

    def _write(self, run: Array) -> None:
        try:
            self._file.seek(self._written * run.itemsize)
            self._file.write(run.data)
            self._file.flush()
        except OSError as error:
            raise DataError(
                f"The temporary folder {tempfile.gettempdir()} cannot take {run.nbytes:,} more bytes of pixel scores "
                f"({error.strerror}); free some space, or name another folder in the environment variable TMPDIR."
            ) from None


def ordered_keys(scores: Floats) -> NDArray[np.uint32]:
    """Unsigned numbers in the order of the scores (NaN somewhere); -0.0 and 0.0 become equal."""
    # Adding zero turns -0.0 into 0.0. Then positive floats are ordered like their bits, negative ones against them.
    bits = np.ascontiguousarray(scores + np.float32(0), np.float32).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
