"""One of each: what costs much to make, and follows from its key alone, is made once for all who hold it at a time."""

import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

__all__ = ["Shared"]

Key = TypeVar("Key", bound=Hashable)
Made = TypeVar("Made")


class Shared(Generic[Key, Made]):
    """Things by their keys. None is kept alive here: it goes, and its key with it, when nobody else holds it any more.

    A process that was forked begins with none, since its parent's threads, which some things have, are not there.
    """

    def __init__(self) -> None:
        self._shelves: dict[int, _Shelf[Key, Made]] = {}

    def get(self, key: Key, make: Callable[[], Made]) -> Made:
        """What was made for this key and is still held; else it is made now, once, however many threads ask.

        Raises what `make` raises; the next who asks tries again.
        """
        shelf = self._shelves.setdefault(os.getpid(), _Shelf())
        found = shelf.find(key)
        if found is None:
            with shelf.alone(key):
                found = shelf.find(key)
                if found is None:
                    found = make()
                    shelf.put(key, found)
        return found


class _Shelf(Generic[Key, Made]):
    """What one process has made."""

    def __init__(self) -> None:
        self._made: WeakValueDictionary[Key, Made] = WeakValueDictionary()
        self._making: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def find(self, key: Key) -> Made | None:
        with self._lock:
            return self._made.get(key)

    def put(self, key: Key, made: Made) -> None:
        with self._lock:
            self._made[key] = made

    @contextmanager
    def alone(self, key: Key) -> Iterator[None]:
        """While the block runs, no other thread makes a thing of this key; things of others may be made."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            try:
                yield
            finally:
                with self._lock:
                    self._making.pop(key, None)
