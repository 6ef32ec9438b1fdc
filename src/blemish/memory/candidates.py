"""Candidates: patches that stand by to enter the bank when an image leaves it.

When an image's rows are taken out, some patches of other images lose the only row that was within the bank's radius.
For each image those patches can be told at fit: their nearest row is of that image, and no other image has one near
enough. The greedy rule, going on from the bank without that image, chooses among them until all are covered again;
what it chooses is kept beside the bank, for each image that may leave.

So after one image has left, the bank is what the greedy rule makes of the patches that remain, and covers them within
the radius it had. Where several leave, patches that these alone covered may lie farther away; the benchmark
benchmarks/feedback.py says how far they do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from blemish.arrays import Doubles, Floats, Ints
from blemish.features.patches import ImagePatches
from blemish.kernels.best import best_kernels
from blemish.kernels.bound import Bound
from blemish.memory.bank import Bank
from blemish.memory.cover import cover
from blemish.memory.training import Patches
from blemish.search.search import Search
from blemish.system.progress import Progress, silent

__all__ = ["Candidates", "find_candidates"]

ROWS_AT_ONCE = 4096
"""Lost patches that are asked for together."""
NOWHERE = 1e15
"""Stands for the distance to a row that is not there; its square is a finite number."""


@dataclass(frozen=True)
class Candidates:
    """C patches beside the bank."""

    rows_CD: Floats
    image_C: Ints
    """The training image each comes from, by number."""
    cell_C: Ints
    """Its place on that image's grid: row * w + column."""

    def joined(self, more: "Candidates") -> "Candidates":
        """These and others behind them."""
        columns = zip(astuple(self), astuple(more), strict=True)
        return Candidates(*(np.concatenate(both) for both in columns))

    @classmethod
    def none(cls, dimension: int) -> "Candidates":
        """No patches, each of this length."""
        return cls(np.empty((0, dimension), np.float32), np.empty(0, np.int64), np.empty(0, np.int64))


def find_candidates(
    bank: Bank,
    search: Search,
    patches: Patches,
    images: Sequence[int],
    *,
    most: int,
    threads: int,
    progress: Progress = silent,
) -> Candidates:
    """The candidates of a bank among the patches of some images, at most `most`, of the largest distances first.

    `search` finds rows of the bank. Within the bank's radius all these patches are covered after any one image has
    left, unless `most` cut candidates off.
    """
    lost = _lost(bank, search, patches, images, threads, progress)
    chosen, distances = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for together in _batches(_by_image(lost.nearest_L)):
        rows_PD = patches.rows(lost.numbers_L[np.concatenate(together)])
        bound = Bound(rows_PD, kernels=best_kernels())
        ends = np.cumsum([len(own) for own in together])
        for own, own_PD in zip(together, np.split(rows_PD, ends[:-1]), strict=True):
            coreset = cover(own_PD, lost.other_L[own], bank.radius, bound=bound)
            chosen.append(lost.numbers_L[own[coreset.indices]])
            distances.append(coreset.radii)
    order = np.argsort(-np.concatenate(distances), kind="stable")[:most]
    kept = np.sort(np.concatenate(chosen)[order])
    return Candidates(patches.rows(kept), *patches.places(kept))


class Lost(NamedTuple):
    """Patches that lose the only row within the radius when an image leaves."""

    numbers_L: Ints
    nearest_L: Ints
    """That image."""
    other_L: Doubles
    """How far the nearest row of any other image is."""


def _by_image(nearest_L: Ints) -> list[Ints]:
    """The lost patches, image by image that would lose them."""
    lost = np.argsort(nearest_L, kind="stable")
    return np.split(lost, np.flatnonzero(np.diff(nearest_L[lost])) + 1) if len(lost) else []


def _batches(parts: Sequence[Ints]) -> Iterator[list[Ints]]:
    """The same, some at a time: patches that are far away come one batch a journey."""
    batch: list[Ints] = []
    for own in parts:
        if batch and sum(map(len, batch)) + len(own) > ROWS_AT_ONCE:
            yield batch
            batch = []
        batch.append(own)
    if batch:
        yield batch


def _lost(
    bank: Bank, search: Search, patches: Patches, images: Sequence[int], threads: int, progress: Progress
) -> Lost:
    """The lost patches of these images, in order."""
    found = [Lost(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    ordered = sorted(images)
    answers = patches.each(partial(_lost_of, bank, search), ordered, threads=threads)
    for number, (image, lost) in enumerate(zip(ordered, answers, strict=True), start=1):
        found.append(lost._replace(numbers_L=lost.numbers_L + patches.first(image)))
        progress("candidates", number, len(ordered))
    return Lost(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _lost_of(bank: Bank, search: Search, image: int, patches: ImagePatches) -> Lost:
    """Those of one image, numbered within it."""
    nearest_Q, other_Q = _nearest_and_other(bank, search, patches.values_QD, image)
    lost = np.flatnonzero((nearest_Q != image) & (other_Q > bank.radius))
    return Lost(lost, nearest_Q[lost], other_Q[lost])


def _nearest_and_other(bank: Bank, search: Search, patches_QD: Floats, image: int) -> tuple[Ints, Doubles]:
    """For each patch of an image, the image of its nearest row, and how far that of any other image is.

    More rows are asked for where the nearest ones are all of one image. Patches nearest to a row of their own image
    cannot lose it to another's leaving: their distance is not looked for.
    """
    nearest_Q = np.empty(len(patches_QD), np.int64)
    other_Q = np.full(len(patches_QD), NOWHERE)
    open_Q, k = np.arange(len(patches_QD)), 1
    while len(open_Q):
        k = min(2 * k, len(bank.image_K))
        distances_QK, rows_QK = search.query(patches_QD[open_Q], k, threads=1)
        image_QK = bank.image_K[rows_QK]
        nearest_Q[open_Q] = image_QK[:, 0]
        differs_QK = image_QK != image_QK[:, :1]
        found_Q = differs_QK.any(axis=1)
        other_Q[open_Q[found_Q]] = distances_QK[found_Q, differs_QK.argmax(axis=1)[found_Q]]
        if k == len(bank.image_K):
            break
        open_Q = open_Q[~found_Q & (image_QK[:, 0] != image)]
    return nearest_Q, other_Q
