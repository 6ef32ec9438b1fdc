"""The threads of the library behind NumPy's products of matrices (BLAS), which no argument of NumPy's can bound.

It takes all processors by itself, however many a caller asked for: on a busy machine its threads wait for each other
and burn several times the work. The limit is of the whole process; so it is counted, and is as it was when all who
asked for one have left.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["blas_threads"]

_lock = threading.Lock()
_asked: list[int] = []
_before: list[int] = []


@contextmanager
def blas_threads(most: int) -> Iterator[None]:
    """Let products of matrices take at most so many threads while the block runs; where several ask, the fewest."""
    with _lock:
        if not _asked:
            _before[:] = [library.num_threads for library in _libraries()]
        _asked.append(most)
        _bound()
    try:
        yield
    finally:
        with _lock:
            _asked.remove(most)
            _bound()


def _bound() -> None:
    for library, before in zip(_libraries(), _before, strict=True):
        _give_up(library)
        library.set_num_threads(min([before, *_asked]))
        _give_up(library)


def _give_up(library: Any) -> None:
    """Let any thread set the number: newer threadpoolctl heeds one thread only, and who comes first may leave first."""
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)


@cache
def _libraries() -> list[Any]:
    # Found by walking through all libraries that the process has loaded, which takes a while: once.
    import numpy as np
    from threadpoolctl import ThreadpoolController

    assert np.linalg, "loads the library that is looked for"
    found: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return found
