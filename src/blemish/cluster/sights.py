"""Whether the machines of a cluster see alike while they inspect: what differs is said, and the rows go on."""

from collections.abc import Callable

__all__ = ["Sights"]


class Sights:
    """What each worker finds in one made-up image, by its digest, against the first one's."""

    def __init__(self, say: Callable[[str], None], told: set[tuple[str, str]]) -> None:
        """`told` are the pairs of machines of which it was said already, of any network."""
        self._say, self._told = say, told
        self._first: tuple[str, str] | None = None

    def add(self, sight: tuple[str, str]) -> None:
        """A worker's machine and digest."""
        if self._first is None:
            self._first = sight
        (first, alike), (other, digest) = self._first, sight
        if digest == alike or (first, other) in self._told:
            return
        self._told.add((first, other))
        self._say(
            f"Two machines of the cluster ({first} and {other}) find other patches in the same image: a row depends in "
            f"its last digits on the machine that makes it; use machines of one kind where rows must be equal."
        )
