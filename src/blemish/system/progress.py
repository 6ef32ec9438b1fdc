"""How long steps report where they are."""

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called often during a long step; the last call of a step has `done == total`."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


def silent(step: str, done: int, total: int) -> None:
    """Report nothing."""
