"""What travels between the shards of a coreset and its driver: part of the benchmark cluster.py.

Shards of one array are counted whole; of the patches of a million images those are made that a coreset asks for.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from statistics import NormalDist
from typing import TypeVar, cast

import numpy as np
from machine import markdown_table

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.cluster.shards import MESSAGE
from blemish.memory.coreset import coreset_of, greedy_coreset
from blemish.memory.shards import ArrayShard, Cut, LocalShards, Reaching, Top

Answer = TypeVar("Answer")

DIMENSION = 152
WRITTEN_AT_ONCE = 200_000
IN_FILE = 20_000_000
"""Patches of which more than a pool lie beyond any threshold that a small sample would give."""
MILLION_IMAGES = 784 * 10**6
"""Their patches."""


class FarShard:
    """A shard of very many patches of which those are there that lie farthest from all centres; no other is asked for.

    They lie in random directions, at distances from the first centre that are the largest of so many that are spread
    normally. So far as no answer depends on nearer ones, it is that of a whole shard.
    """

    def __init__(self, first: int, count: int, far: int, dimension: int, seed: int) -> None:
        self.first, self._count = first, count
        random = np.random.default_rng(seed)
        self._numbers_T = np.sort(random.choice(count, far, replace=False)) + first
        ways_TD = random.standard_normal((far, dimension), np.float32)
        # The share of patches beyond each: the order statistics of the largest, by sums of exponential steps.
        beyond_T = np.cumsum(random.exponential(size=far)) / count
        distances_T = np.array([10 + NormalDist().inv_cdf(1 - share) for share in beyond_T])
        self.nearest = float(distances_T[-1] ** 2)
        """All patches that are not there lie within this squared distance of the first centre."""
        scales_T = random.permutation(distances_T) / np.linalg.norm(ways_TD, axis=1)
        self._patches_TD = np.asarray(ways_TD * scales_T[:, None], np.float32)
        self._values_T = np.full(far, np.inf)

    def __len__(self) -> int:
        return self._count

    def start(self, among_N: Bools | None) -> int:
        return self._count

    def member(self, position: int) -> tuple[int, Floats]:
        """The first centre, from which all distances are; it is none of those far away."""
        return self.first + position, np.zeros((1, self._patches_TD.shape[1]), np.float32)

    def meet(self, centres_RD: Floats, numbers_R: Ints, known: int) -> None:
        norms_T, norms_R = ((own.astype(np.float64) ** 2).sum(axis=1) for own in (self._patches_TD, centres_RD))
        squared_TR = norms_T[:, None] - 2 * (self._patches_TD @ centres_RD.T) + norms_R
        self._values_T = np.minimum(self._values_T, squared_TR.min(axis=1))
        self._values_T[np.isin(self._numbers_T, numbers_R)] = -1

    def best(self, every: int, keep: int, known: int) -> Doubles:
        found = np.sort(self._values_T[self._numbers_T % every == 0])[-keep:]
        return np.concatenate([np.zeros(keep - len(found)), found])  # nearer ones, which no threshold comes from

    def reaching(self, threshold: float, most: int, known: int) -> Reaching:
        assert threshold > self.nearest, "patches that are not there are asked for"
        where = np.flatnonzero(self._values_T >= threshold)
        order = np.lexsort((where, -self._values_T[where]))[:most]
        return Reaching(self._values_T[where[order]], self._numbers_T[where[order]], len(where) <= most)

    def take(self, cut: Cut, known: int) -> Top:
        inside_T = (self._values_T > cut.value) | ((self._values_T == cut.value) & (self._numbers_T <= cut.number))
        outside = int(np.argmax(np.where(inside_T, -np.inf, self._values_T)))
        best = float(self._values_T[outside]), int(self._numbers_T[outside])
        return Top(self._numbers_T[inside_T], self._patches_TD[inside_T], self._values_T[inside_T], best)


class Counting(LocalShards):
    """Shards of this process whose answers are counted as if they travelled."""

    message = float(MESSAGE)

    def __init__(self, shards: Sequence[ArrayShard] | Sequence[FarShard]) -> None:
        super().__init__(cast(Sequence[ArrayShard], shards))
        self.rounds: list[int] = [0]
        self.to_each = 0

    def meet(self, centres_RD: Floats, numbers_R: Ints, known: int) -> None:
        super().meet(centres_RD, numbers_R, known)
        self.to_each += centres_RD.nbytes + numbers_R.nbytes
        self.rounds.append(0)

    def best(self, every: int, keep: int, known: int) -> list[Doubles]:
        return self._counted(super().best(every, keep, known), lambda each: each.nbytes)

    def reaching(self, threshold: float, most: int, known: int) -> list[Reaching]:
        found = super().reaching(threshold, most, known)
        return self._counted(found, lambda each: each.values_P.nbytes + each.numbers_P.nbytes)

    def take(self, cut: Cut, known: int) -> list[Top]:
        found = super().take(cut, known)
        return self._counted(found, lambda top: top.patches_PD.nbytes + top.values_P.nbytes + top.numbers_P.nbytes)

    def _counted(self, answers: list[Answer], size: Callable[[Answer], int]) -> list[Answer]:
        self.rounds[-1] += sum(map(size, answers))
        return answers


def messages(arguments: argparse.Namespace) -> str:
    """What travels in a round, for few and many shards of the same patches; rows must be equal."""
    patches_ND = random_patches(arguments.patches)
    expected = greedy_coreset(patches_ND, 1000)
    table = []
    for count in (1, 4, 16, 64, 256, 1000):
        shards = Counting(divided(patches_ND, count))
        found = coreset_of(shards, 1000)
        assert np.array_equal(found.indices, expected.indices)
        assert np.array_equal(found.radii, expected.radii)
        table.append(
            [f"{count:,}", f"{len(shards.rounds) - 1}", megabytes(max(shards.rounds)), megabytes(shards.to_each)]
        )
    header = ["shards", "rounds", "to the driver, largest round, MB", "to each machine in all, MB"]
    said = f"{len(patches_ND):,} x {DIMENSION} random patches, 1,000 rows, the same from all."
    return f"{said}\n\n{markdown_table(header, table)}\n\n{messages_over_file()}\n\n{many_messages()}"


def messages_over_file() -> str:
    """The same for patches in a file, of few and of many shards."""
    table = []
    with patches_in_file(IN_FILE) as patches:
        for count in (1, 16, 1000):
            shards = Counting(divided(patches, count))
            coreset_of(shards, 1000)
            each = megabytes(max(shards.rounds)), megabytes(shards.to_each)
            table.append([f"{IN_FILE:,} x {DIMENSION}", f"{count:,}", f"{len(shards.rounds) - 1}", *each])
    header = ["patches in a file", "shards", "rounds", "to the driver, largest round, MB", "to each machine in all, MB"]
    return markdown_table(header, table)


def many_messages() -> str:
    """The same for the patches of a million images, of which those are made that a coreset asks for first."""
    table = []
    for dimension, far in ((DIMENSION, 80_000), (1536, 24_000)):
        for count in (1, 16, 256, 1000):
            edges = np.linspace(0, MILLION_IMAGES, count + 1).astype(int).tolist()
            made = [
                FarShard(first, last - first, far // count, dimension, seed)
                for seed, (first, last) in enumerate(pairwise(edges))
            ]
            shards = Counting(made)
            rows = len(coreset_of(shards, 3000).indices)
            largest = megabytes(max(shards.rounds))
            table.append([f"{dimension:,}", f"{count:,}", f"{rows:,}", f"{len(shards.rounds) - 1}", largest])
    header = ["numbers a patch", "shards", "rows", "rounds", "to the driver, largest round, MB"]
    said = (
        f"{MILLION_IMAGES:,} patches, of which only the farthest are made (80,000 and 24,000, which all answers come "
        f"from); the protocol and its bounds are those of a fit."
    )
    return f"{said}\n\n{markdown_table(header, table)}"


def megabytes(count: float) -> str:
    return f"{count / 1e6:.2f}"


def divided(patches_ND: Array, shards: int) -> list[ArrayShard]:
    """So many shards of nearly equal length, each on one thread."""
    spans = pairwise(np.linspace(0, len(patches_ND), shards + 1).astype(int).tolist())
    return [ArrayShard(patches_ND[first:last], first=first, threads=1) for first, last in spans]


@contextmanager
def patches_in_file(count: int) -> Iterator[Array]:
    """So many random patches as float16 in a file, which is there while the block runs."""
    with tempfile.NamedTemporaryFile(suffix=".patches") as file:
        for start in range(0, count, WRITTEN_AT_ONCE):
            some = random_patches(min(WRITTEN_AT_ONCE, count - start), seed=start)
            file.write(some.astype(np.float16).tobytes())
        file.flush()
        yield np.memmap(file.name, np.float16, mode="r", shape=(count, DIMENSION))


def random_patches(count: int, seed: int = 0) -> Floats:
    """Patches around 50 centres in 12 directions, with a little of all others: roughly as real ones lie."""
    centres = np.random.default_rng(1)
    mixing = centres.normal(size=(12, DIMENSION)).astype(np.float32)
    means = centres.normal(size=(50, DIMENSION)).astype(np.float32)
    random = np.random.default_rng(seed)
    own = random.standard_normal((count, 12), np.float32) @ mixing
    noise = 0.2 * random.standard_normal((count, DIMENSION), np.float32)
    return np.asarray(own + noise + means[random.integers(50, size=count)], np.float32)
