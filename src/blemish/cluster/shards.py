"""The patches of one look on several machines, as the coreset asks about them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from blemish.arrays import Bools, Doubles, Floats, Ints
from blemish.cluster.worker import Call
from blemish.memory.shards import Cut, Reaching, Top, at_position

if TYPE_CHECKING:
    from blemish.cluster.crew import Crew

__all__ = ["RayShards"]

MESSAGE = 15 * 10**6
"""Bytes of patches that all workers together may send in a round."""


class RayShards:
    """`Shards` over a crew. Centres are sent to each machine once, and kept here for workers that take another's place.

    Made anew for each coreset; `images` marks those that take part, None for all.
    """

    message = float(MESSAGE)

    def __init__(self, crew: "Crew", workers: int, name: str, images: Bools | None) -> None:
        self._crew, self._workers, self._name = crew, range(workers), name
        self._images = images
        self._met: list[tuple[Floats, Ints, int]] = []
        crew.remember(f"coreset {name}", self._begin)
        begun = self._ask("start", self._crew.put(images) if images is not None else None)
        self.counts: Sequence[int] = [counts for counts, _ in begun]
        self.members: Sequence[int] = [members for _, members in begun]

    def member(self, position: int) -> tuple[int, Floats]:
        worker, own = at_position(self.members, position)
        found: tuple[int, Floats] = self._crew.ask(Call("member", (self._name, own)), [worker])[0]
        return found

    def meet(self, centres_RD: Floats, numbers_R: Ints, known: int) -> None:
        self._ask("meet", self._crew.put(centres_RD), numbers_R, known)
        self._met.append((np.array(centres_RD), numbers_R, known))

    def best(self, every: int, keep: int, known: int) -> Sequence[Doubles]:
        return self._ask("best", every, keep, known)

    def reaching(self, threshold: float, most: int, known: int) -> Sequence[Reaching]:
        return self._ask("reaching", threshold, most, known)

    def take(self, cut: Cut, known: int) -> Sequence[Top]:
        return self._ask("take", cut, known)

    def end(self) -> None:
        """The coreset is made: workers that come later need not hear of it."""
        self._crew.forget(f"coreset {self._name}")

    def _begin(self, worker: int) -> Iterator[Call]:
        """What a new worker must know of the coreset so far."""
        if worker not in self._workers:
            return
        yield Call("start", (self._name, self._images))
        for centres_RD, numbers_R, known in self._met:
            yield Call("meet", (self._name, centres_RD, numbers_R, known))

    def _ask(self, method: str, *arguments: object) -> list[Any]:
        return self._crew.ask(Call(method, (self._name, *arguments)), self._workers)
