"""Candidates: patches that stand by to enter the bank when an image leaves it.

When an image's rows are taken out, some patches of other images lose the only row that was within the bank's radius.
For each image those patches can be told at fit: their nearest row is of that image, and no other image has one near
enough. The greedy rule, going on from the bank without that image, chooses among them until all are covered again;
what it chooses is kept beside the bank, for each image that may leave.

So after one image has left, the bank is what the greedy rule makes of the patches that remain, and covers them within
the radius it had. Where several leave, patches that these alone covered may lie farther away; the benchmark
benchmarks/feedback.py says how far they do.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from blemish.arrays import Bools, Doubles, Floats, Ints
from blemish.memory.bank import Bank
from blemish.memory.cover import cover
from blemish.memory.spill import take_rows
from blemish.memory.training import TrainingPatches
from blemish.search.search import Search
from blemish.system.progress import Progress, silent
from blemish.system.stream import stream

__all__ = ["Candidates", "find_candidates"]

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
    patches: TrainingPatches,
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
    among = np.flatnonzero(np.isin(patches.image_N, images))
    nearest_A, other_A = _two_images(bank, search, patches, among, images, threads, progress)
    lost_A = (nearest_A != patches.image_N[among]) & (other_A > bank.radius)
    chosen, distances = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for lost in _by_image(lost_A, nearest_A):
        coreset = cover(take_rows(patches.values_ND, among[lost]), other_A[lost], bank.radius)
        chosen.append(among[lost[coreset.indices]])
        distances.append(coreset.radii)
    order = np.argsort(-np.concatenate(distances), kind="stable")[:most]
    kept = np.sort(np.concatenate(chosen)[order])
    return Candidates(take_rows(patches.values_ND, kept), patches.image_N[kept], patches.cell_N[kept])


def _by_image(lost_A: Bools, nearest_A: Ints) -> list[Ints]:
    """The lost patches, image by image that would lose them."""
    lost = np.flatnonzero(lost_A)
    lost = lost[np.argsort(nearest_A[lost], kind="stable")]
    return np.split(lost, np.flatnonzero(np.diff(nearest_A[lost])) + 1) if len(lost) else []


def _two_images(
    bank: Bank,
    search: Search,
    patches: TrainingPatches,
    among: Ints,
    images: Sequence[int],
    threads: int,
    progress: Progress,
) -> tuple[Ints, Doubles]:
    """For each patch of these images, the image of its nearest row, and how far that of any other image is."""

    def look(image: int) -> tuple[Ints, Doubles]:
        first, last = np.searchsorted(patches.image_N, [image, image + 1])
        return _nearest_and_other(bank, search, take_rows(patches.values_ND, np.arange(first, last)), image)

    nearest_A, other_A, done = np.empty(len(among), np.int64), np.empty(len(among)), 0
    for number, (nearest_Q, other_Q) in enumerate(stream(look, sorted(images), threads=threads)):
        there = slice(done, done := done + len(nearest_Q))
        nearest_A[there], other_A[there] = nearest_Q, other_Q
        progress("candidates", number + 1, len(images))
    return nearest_A, other_A


def _nearest_and_other(bank: Bank, search: Search, patches_QD: Floats, image: int) -> tuple[Ints, Doubles]:
    """As `_two_images`, of one image's patches; more rows are asked for where the nearest ones are all of one image.

    Patches nearest to a row of their own image cannot lose it to another's leaving: their distance is not looked for.
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
