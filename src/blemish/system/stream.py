"""Run one function over many items on a few threads, in order, holding only a few items at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["available_threads", "stream"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def available_threads() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stream(function: Callable[[Item], Answer], items: Iterable[Item], *, threads: int) -> Iterator[Answer]:
    """Yield `function(item)` for each item, in order, with at most two items per thread under way.

    An exception of `function` is raised where its answer would have come; closing the iterator stops the threads.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="blemish") as pool:
        running: deque[Future[Answer]] = deque(pool.submit(function, item) for item in islice(remaining, 2 * threads))
        try:
            while running:
                # Answer before asking for more: the next item may be a camera's, and long in coming.
                yield running.popleft().result()
                running.extend(pool.submit(function, item) for item in islice(remaining, 1))
        finally:
            for future in running:
                future.cancel()
