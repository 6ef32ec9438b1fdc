"""Training patches as shards: what the coreset asks of them, wherever they live.

The coreset needs few and short messages: a sample of values, the top points above a threshold, and
the new centres back. So shards may be slices of one array, of a file, or live on other machines;
the coreset is the same.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.errors import OptionError
from blemish.kernels.best import best_kernels
from blemish.kernels.bound import Bound
from blemish.kernels.points import Points
from blemish.kernels.protocol import Kernels
from blemish.memory.spill import mapping, take_rows

__all__ = ["ArrayShard", "Shard", "Top"]

BLOCK = 8192
PART = 960
TAKEN = -1.0


@dataclass(frozen=True)
class Top:
    """A shard's points of largest squared distance to the centres, fresh, and the best of the others."""

    numbers_P: Ints
    """Ascending, counted over all shards."""
    patches_PD: Floats
    values_P: Doubles
    outside: tuple[float, int]
    """An upper bound of the value of every other point, and the lowest number of a point that reaches it."""


class Shard(Protocol):
    """Some of the training patches, numbered on from `first`; values are squared distances to the nearest centre."""

    first: int

    def __len__(self) -> int: ...

    def start(self, among_N: Bools | None) -> None:
        """Forget all centres; take part with the patches marked, or all."""

    def patch(self, number: int) -> Floats:
        """One patch (1, d)."""

    def meet(self, centres_RD: Floats, numbers_R: Ints) -> None:
        """Here are new centres, with their numbers over all shards."""

    def sample(self, count: int) -> Doubles:
        """Fresh values of about `count` points, spread evenly."""

    def top(self, threshold: float, most: int) -> Top:
        """The points whose value is at least `threshold`, fresh; of more than `most`, the first in choosing order."""


class ArrayShard:
    """A shard over an array in memory or a memory-mapped file, float32 or float16.

    In memory the short vectors of the bound are kept; over a file (`held=False`) they are made again
    block by block, so that only 16 bytes a patch and one block stay in memory. Raises OptionError for
    patches that are not finite rows.
    """

    def __init__(
        self, patches_ND: Array, *, first: int = 0, threads: int | None = None, kernels: Kernels | None = None
    ) -> None:
        if patches_ND.ndim != 2 or 0 in patches_ND.shape:
            raise OptionError(f"a coreset needs patches (N x d), both at least 1; they came as {patches_ND.shape}")
        self.first = first
        self._patches_ND = patches_ND
        in_memory = mapping(patches_ND) is None
        if in_memory:
            self._patches_ND = np.ascontiguousarray(patches_ND, np.float32)
        self._kernels = kernels or best_kernels()
        self._pool = ThreadPoolExecutor(self._kernels.workers(threads), thread_name_prefix="blemish-coreset")
        step = max(1, len(patches_ND) // 2048)
        self._bound = Bound(
            self._checked(np.arange(0, len(patches_ND), step)), kernels=self._kernels, kind=self._kernels.kind
        )
        self._held = self._hold() if in_memory else None
        if self._held is None:
            self._look_through()
        self.start(None)

    def __len__(self) -> int:
        return len(self._patches_ND)

    def start(self, among_N: Bools | None) -> None:
        count = len(self._patches_ND)
        self._value_N = np.full(count, np.inf)
        self._met_N = np.zeros(count, np.int64)
        if among_N is not None:
            self._value_N[~among_N] = TAKEN
        self._centres: list[Points] = []
        self._rows: Points | None = None
        self._known = 0

    def patch(self, number: int) -> Floats:
        return self._take(np.array([number - self.first]))

    def meet(self, centres_RD: Floats, numbers_R: Ints) -> None:
        own = numbers_R[(numbers_R >= self.first) & (numbers_R < self.first + len(self))]
        self._value_N[own - self.first] = TAKEN
        self._centres.append(self._bound.view(centres_RD))
        self._known += len(numbers_R)
        self._rows = None

    def sample(self, count: int) -> Doubles:
        where = np.arange(0, len(self), max(1, len(self) // max(1, count)))
        self._freshen(where)
        return self._value_N[where]

    def top(self, threshold: float, most: int) -> Top:
        candidates = np.nonzero(self._value_N >= max(threshold, 0.0))[0]
        self._freshen(candidates)
        values = self._value_N[candidates]
        top = candidates[values >= max(threshold, 0.0)]
        if len(top) > most:
            top = np.sort(top[np.lexsort((top, -self._value_N[top]))[:most]])
        others_N = self._value_N.copy()
        others_N[top] = -np.inf
        best = int(np.argmax(others_N))
        outside = (float(others_N[best]), best + self.first)
        return Top(top + self.first, self._take(top), self._value_N[top], outside)

    def _freshen(self, where: Ints) -> None:
        """Bring the values of these points up to date with all centres."""
        stale = where[(self._met_N[where] < self._known) & (self._value_N[where] >= 0)]
        if self._rows is None:
            full_RD = np.concatenate([part.full for part in self._centres])
            self._rows = Points.joined(self._centres, full_RD)
            self._centres = [self._rows]
            self._rows = self._rows.packed()
        margins = self._bound.margins(self._rows)
        rows = self._rows

        def work(part: Ints) -> None:
            part = part[np.argsort(self._met_N[part], kind="stable")]
            points, at = (
                (self._held, part) if self._held else (self._bound.view(self._take(part)), np.arange(len(part)))
            )
            best_QK = self._value_N[part][:, None]
            self._kernels.nearest(
                margins, points, at, rows, self._met_N[part], None, best_QK, np.zeros((len(part), 1), np.int64)
            )
            self._value_N[part] = best_QK[:, 0]
            self._met_N[part] = self._known

        if self._held:
            stale = stale[np.argsort(self._met_N[stale], kind="stable")]
        list(self._pool.map(work, [stale[i : i + PART] for i in range(0, len(stale), PART)]))

    def _hold(self) -> Points:
        return Points.joined(self._pool.map(self._shorts, self._blocks()), self._patches_ND)

    def _shorts(self, where: Ints) -> Points:
        # Without its copy of the patches: together the blocks would hold all of them a second time.
        return replace(self._bound.view(self._checked(where)), full=self._patches_ND[:0])

    def _look_through(self) -> None:
        for where in self._blocks():
            self._checked(where)

    def _blocks(self) -> Iterator[Ints]:
        for start in range(0, len(self), BLOCK):
            yield np.arange(start, min(start + BLOCK, len(self)))

    def _checked(self, where: Ints) -> Floats:
        patches_PD = self._take(where)
        wrong = np.nonzero(~np.isfinite(patches_PD).all(axis=1))[0]
        if len(wrong):
            number = where[wrong[0]] + self.first
            raise OptionError(f"patch {number} holds NaN or infinity; leave out the image it comes from")
        return patches_PD

    def _take(self, where: Ints) -> Floats:
        return take_rows(self._patches_ND, where)
