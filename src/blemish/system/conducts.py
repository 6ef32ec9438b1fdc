"""A whole call that is done where its files are, by whoever is given in place of the cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from blemish.system.progress import Progress, Shown

__all__ = ["CLIENT", "Answer", "Conducts", "Once", "Sendable", "only", "silently"]

CLIENT = "ray://"
"""How addresses begin at which a whole call is done."""

Answer = TypeVar("Answer")
Answers = TypeVar("Answers", covariant=True)


class Sendable(Protocol[Answers]):
    """A whole call that can travel: it is given a cluster, and whom to tell how far it is."""

    def __call__(self, *, cluster: Any, progress: Progress, say: Callable[[str], None]) -> Iterator[Answers]:
        """Its answers, in order."""
        ...


def silently(sentence: str) -> None:
    """Tell nobody."""


@runtime_checkable
class Conducts(Protocol):
    """Does whole calls on another machine: the paths of images, states and folders are those of that machine."""

    def conduct(
        self, call: Sendable[Answer], *, progress: Shown = None, say: Callable[[str], None] = silently
    ) -> Iterator[Answer]:
        """Yield the answers of the call; `progress` and `say` are told here what the call tells there."""


@dataclass(frozen=True)
class Once(Generic[Answer]):
    """A call with one answer, made of a function that takes the cluster and where it reports."""

    function: Callable[..., Answer]
    tells: bool = False
    """Whether the function also takes `say`."""

    def __call__(self, *, cluster: Any, progress: Progress, say: Callable[[str], None] = silently) -> Iterator[Answer]:
        own = {"say": say} if self.tells else {}
        yield self.function(cluster=cluster, progress=progress, **own)


def only(answers: Iterator[Answer]) -> Answer:
    """The one answer of a call, which then ends."""
    (found,) = answers
    return found
