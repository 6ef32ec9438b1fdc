"""How evenly the shards of a coreset are at work: part of the benchmark cluster.py.

Sixteen shards of one file answer one after the other in this process, each on one thread; where each has a machine of
its own, a question takes as long as the slowest answer. The balance is the work of all over that of machines that wait
so, from the median of each answer's processor seconds over some runs, which ask the same questions.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from machine import figure, markdown_table
from shard_messages import DIMENSION, divided, patches_in_file

from blemish.arrays import Array, Doubles, Floats, Ints
from blemish.memory.coreset import coreset_of
from blemish.memory.shards import ArrayShard, Cut, LocalShards, Reaching, Top

__all__ = ["balance"]

Answer = TypeVar("Answer")
SHARDS = 16
PATCHES = 4_000_000
ROWS = (1000, 5000)
RUNS = 5


class TimedShards(LocalShards):
    """Shards whose processor seconds are noted, question by question."""

    def __init__(self, shards: Sequence[ArrayShard]) -> None:
        super().__init__(shards)
        self._own = shards
        self.seconds: list[list[float]] = []

    def meet(self, centres_RD: Floats, numbers_R: Ints, known: int) -> None:
        self._each(lambda shard: shard.meet(centres_RD, numbers_R, known))

    def best(self, every: int, keep: int, known: int) -> list[Doubles]:
        return self._each(lambda shard: shard.best(every, keep, known))

    def reaching(self, threshold: float, most: int, known: int) -> list[Reaching]:
        return self._each(lambda shard: shard.reaching(threshold, most, known))

    def take(self, cut: Cut, known: int) -> list[Top]:
        return self._each(lambda shard: shard.take(cut, known))

    def _each(self, ask: Callable[[ArrayShard], Answer]) -> list[Answer]:
        answers, seconds = [], []
        for shard in self._own:
            began = time.process_time()
            answers.append(ask(shard))
            seconds.append(time.process_time() - began)
        self.seconds.append(seconds)
        return answers


def balance(_: Any) -> str:
    """The balance of sixteen shards, and what the driver does meanwhile."""
    with patches_in_file(PATCHES) as patches:
        table = [_measured(patches, rows) for rows in ROWS]
    header = [
        f"random patches in a file, {SHARDS} shards",
        "rows",
        "CPU s",
        "of the driver",
        "questions",
        "balance in all",
        "question by question",
    ]
    return f"{markdown_table(header, table)}\n\nBar: 0.75. In all: had each machine to wait at the end only."


def _measured(patches: Array, rows: int) -> list[str]:
    runs = [_run(patches, rows) for _ in range(RUNS)]
    seconds_QS = np.median([seconds for _, seconds in runs], axis=0)
    worked = float(seconds_QS.sum())
    driver = float(np.median([whole - seconds.sum() for whole, seconds in runs]))
    evens = worked / (SHARDS * seconds_QS.sum(axis=0).max()), worked / (SHARDS * seconds_QS.max(axis=1).sum())
    said = f"{len(patches):,} x {DIMENSION}", f"{rows:,}", figure(worked), figure(driver), str(len(seconds_QS))
    return [*said, *(figure(float(even)) for even in evens)]


def _run(patches: Array, rows: int) -> tuple[float, Doubles]:
    """Processor seconds of all, and of each answer of each shard."""
    shards = TimedShards(divided(patches, SHARDS))
    began = time.process_time()
    coreset_of(shards, rows)
    return time.process_time() - began, np.array(shards.seconds)
