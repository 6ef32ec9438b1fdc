"""Training patches as shards: what the coreset asks of them, wherever they live.

The coreset needs few and short messages: the largest of a sample of values, which points reach a threshold, the patches
of the foremost of these, and the new centres back. So shards may be slices of one array, of a file, or live on other
machines; the coreset is the same. Every question names how many centres the shard must know: one that was begun anew
and forgot them answers with `Behind`, never with values that are too large.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.errors import OptionError
from blemish.kernels.best import best_kernels
from blemish.kernels.bound import Bound
from blemish.kernels.points import Margins, Points
from blemish.kernels.protocol import Kernels
from blemish.memory.spill import mapping, take_rows

__all__ = ["ArrayShard", "Behind", "Cut", "LocalShards", "Reaching", "Shards", "Top"]

BLOCK = 8192
PART = 960
SPAN = 2**20
"""Values gone through at once, so that what is said of each needs no memory of the length of all."""
TAKEN = -1.0


class Behind(Exception):
    """A shard was asked about other centres than those it has met: it has to be told them first."""


class Cut(NamedTuple):
    """A place in choosing order, larger values first, then lower numbers."""

    value: float
    number: int


class Reaching(NamedTuple):
    """Points of one shard that reach a threshold, in choosing order, and whether they are all of them."""

    values_P: Doubles
    numbers_P: Ints
    whole: bool


@dataclass(frozen=True)
class Top:
    """A shard's points of largest squared distance to the centres, fresh, and the best of the others."""

    numbers_P: Ints
    """Ascending, counted over all shards."""
    patches_PD: Floats
    values_P: Doubles
    outside: tuple[float, int]
    """An upper bound of the value of every other point, and the lowest number of a point that reaches it."""


class Shards(Protocol):
    """All shards, in order, each asked at once; answers come in their order. Patches that take part are set before."""

    counts: Sequence[int]
    """The number of patches in each."""
    members: Sequence[int]
    """The number of those that take part."""
    message: float
    """The bytes of patches that may come back from a question; infinite where nothing travels."""

    def member(self, position: int) -> tuple[int, Floats]:
        """As that of a shard (`ArrayShard`), the position counted over all."""

    def meet(self, centres_RD: Floats, numbers_R: Ints, known: int) -> None: ...

    def best(self, every: int, keep: int, known: int) -> Sequence[Doubles]: ...

    def reaching(self, threshold: float, most: int, known: int) -> Sequence[Reaching]: ...

    def take(self, cut: Cut, known: int) -> Sequence[Top]: ...


class LocalShards:
    """Shards of this process, one after the other: each shares its work among threads itself."""

    message = math.inf

    def __init__(self, shards: Sequence["ArrayShard"], among_N: Bools | None = None) -> None:
        """`among_N` marks the patches that take part; None: all."""
        self._shards = shards
        self.counts: Sequence[int] = [len(shard) for shard in shards]
        self.members: Sequence[int] = [
            shard.start(None if among_N is None else among_N[shard.first : shard.first + len(shard)])
            for shard in shards
        ]

    def member(self, position: int) -> tuple[int, Floats]:
        shard, own = at_position(self.members, position)
        return self._shards[shard].member(own)

    def meet(self, centres_RD: Floats, numbers_R: Ints, known: int) -> None:
        for shard in self._shards:
            shard.meet(centres_RD, numbers_R, known)

    def best(self, every: int, keep: int, known: int) -> list[Doubles]:
        return [shard.best(every, keep, known) for shard in self._shards]

    def reaching(self, threshold: float, most: int, known: int) -> list[Reaching]:
        return [shard.reaching(threshold, most, known) for shard in self._shards]

    def take(self, cut: Cut, known: int) -> list[Top]:
        return [shard.take(cut, known) for shard in self._shards]


def at_position(members: Sequence[int], position: int) -> tuple[int, int]:
    """The shard of the patch at this position among all that take part, and its position there."""
    ends = np.cumsum(members)
    shard = int(np.searchsorted(ends, position, side="right"))
    return shard, position - int(ends[shard] - members[shard])


class ArrayShard:
    """Some of the training patches, numbered on from `first`: an array in memory or a memory-mapped file.

    Values are squared distances to the nearest centre. `known` is the number of centres that a question counts on; a
    shard that has met another number raises Behind. The patches are float32 or float16.
    In memory (also in pages that are kept of a file) the short vectors of the bound stay as well; over a file they are
    made again block by block, so that only 12 bytes a patch and one block are in memory. Raises OptionError for patches
    that are not finite rows.
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

    def start(self, among_N: Bools | None) -> int:
        """Forget all centres; take part with the patches marked, or all. Returns how many these are."""
        count = len(self._patches_ND)
        self._value_N = np.full(count, np.inf)
        self._met_N = np.zeros(count, np.int32)
        if among_N is not None:
            self._value_N[~among_N] = TAKEN
        self._centres: list[Points] = []
        self._rows: Points | None = None
        self._known = 0
        return count if among_N is None else int(among_N.sum())

    def member(self, position: int) -> tuple[int, Floats]:
        """The number of the patch at this position among those that take part, and the patch (1, d)."""
        self._check_knows(0)
        before = 0
        for span in self._spans():
            members = np.flatnonzero(self._value_N[span] != TAKEN) + span.start
            if position < before + len(members):
                own = members[position - before : position - before + 1]
                return int(own[0]) + self.first, self._take(own)
            before += len(members)
        raise IndexError(f"{before} patches take part, and number {position} of them was asked for")

    def meet(self, centres_RD: Floats, numbers_R: Ints, known: int) -> None:
        """Here are new centres, with their numbers over all shards."""
        self._check_knows(known)
        own = numbers_R[(numbers_R >= self.first) & (numbers_R < self.first + len(self))]
        self._value_N[own - self.first] = TAKEN
        self._centres.append(self._bound.view(centres_RD))
        self._known += len(numbers_R)
        self._rows = None

    def best(self, every: int, keep: int, known: int) -> Doubles:
        """The `keep` largest values, fresh, of the points whose number is a multiple of `every`."""
        self._check_knows(known)
        where = np.arange(-self.first % every, len(self), every)
        self._freshen(where)
        return np.sort(self._value_N[where])[-keep:]

    def reaching(self, threshold: float, most: int, known: int) -> Reaching:
        """The points whose value is at least `threshold`, fresh; of more than `most`, the first in choosing order."""
        self._check_knows(known)
        where = self._at_least(threshold)
        order = np.lexsort((where, -self._value_N[where]))[:most]
        return Reaching(self._value_N[where[order]], where[order] + self.first, len(where) <= most)

    def take(self, cut: Cut, known: int) -> Top:
        """The points up to this one in choosing order, fresh."""
        self._check_knows(known)
        where = self._at_least(cut.value)
        top = where[(self._value_N[where] > cut.value) | (where + self.first <= cut.number)]
        values_P = self._value_N[top]
        self._value_N[top] = -np.inf
        best = int(np.argmax(self._value_N))
        outside = (float(self._value_N[best]), best + self.first)
        self._value_N[top] = values_P
        return Top(top + self.first, self._take(top), values_P, outside)

    def _check_knows(self, known: int) -> None:
        if self._known != known:
            raise Behind(f"this shard has met {self._known} centres, and {known} were counted")

    def _at_least(self, threshold: float) -> Ints:
        """The points whose fresh value is at least this; of those taken already, none."""
        found = []
        for span in self._spans():
            candidates = np.flatnonzero(self._value_N[span] >= threshold) + span.start
            self._freshen(candidates)
            found.append(candidates[self._value_N[candidates] >= threshold])
        return np.concatenate(found)

    def _freshen(self, where: Ints) -> None:
        """Bring the values of these points up to date with all centres."""
        stale = where[(self._met_N[where] < self._known) & (self._value_N[where] >= 0)]
        rows = self._all_centres()
        if self._held:
            stale = stale[np.argsort(self._met_N[stale], kind="stable")]
        if self._known == 1:
            bring = partial(self._measure, rows)
        else:
            bring = partial(self._improve, rows, self._bound.margins(rows))
        list(self._pool.map(bring, [stale[i : i + PART] for i in range(0, len(stale), PART)]))

    def _all_centres(self) -> Points:
        if self._rows is None:
            full_RD = np.concatenate([part.full for part in self._centres])
            joined = Points.joined(self._centres, full_RD)
            self._centres = [joined]
            self._rows = joined.packed()
        return self._rows

    def _measure(self, rows: Points, part: Ints) -> None:
        """Distances to the first centre, of which nothing can be ruled out."""
        squared_P = self._kernels.exact_pairs(self._take(part), rows.full)
        self._value_N[part] = np.minimum(self._value_N[part], squared_P)
        self._met_N[part] = 1

    def _improve(self, rows: Points, margins: Margins, part: Ints) -> None:
        """Distances to the centres that each of these points has not met, where they may be smaller."""
        part = part[np.argsort(self._met_N[part], kind="stable")]
        points, at = (self._held, part) if self._held else (self._bound.view(self._take(part)), np.arange(len(part)))
        best_P1, numbers_P1 = self._value_N[part][:, None], np.zeros((len(part), 1), np.int64)
        met_P = self._met_N[part].astype(np.int64)
        self._kernels.nearest(margins, points, at, rows, met_P, None, best_P1, numbers_P1)
        self._value_N[part] = best_P1[:, 0]
        self._met_N[part] = self._known

    def _hold(self) -> Points:
        return Points.joined(self._pool.map(self._shorts, self._blocks()), self._patches_ND)

    def _shorts(self, where: Ints) -> Points:
        # Without its copy of the patches: together the blocks would hold all of them a second time.
        return replace(self._bound.view(self._checked(where)), full=self._patches_ND[:0])

    def _look_through(self) -> None:
        for where in self._blocks():
            self._checked(where)

    def _spans(self) -> Iterator[slice]:
        for start in range(0, len(self), SPAN):
            yield slice(start, min(start + SPAN, len(self)))

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
