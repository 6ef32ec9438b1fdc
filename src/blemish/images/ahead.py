"""Objects of buckets are read ahead: each takes two requests, and to wait for them takes longer than to look."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from blemish.errors import ImageError
from blemish.images.read import Source, keep
from blemish.system.address import Address

__all__ = ["read_ahead"]

AT_ONCE = 16
"""Objects on their way or waiting."""
ROOM = 64 * 2**20
"""Bytes of them."""


def read_ahead(sources: Sequence[Source]) -> Iterator[Source]:
    """The sources in order, where each object of a bucket that was listed comes with its bytes.

    One that cannot be read comes as it is: who looks at it meets the error.
    """
    if not any(isinstance(source, Address) for source in sources):
        return iter(sources)
    return _read_ahead(iter(sources))


def _read_ahead(sources: Iterator[Source]) -> Iterator[Source]:
    waiting: deque[tuple[int, Future[Source]]] = deque()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="blemish-read") as pool:
        try:
            more = next(sources, None)
            while more is not None or waiting:
                room = ROOM - sum(size for size, _ in waiting)
                while more is not None and len(waiting) < AT_ONCE and (room >= _size(more) or not waiting):
                    room -= _size(more)
                    waiting.append((_size(more), pool.submit(_read, more)))
                    more = next(sources, None)
                yield waiting.popleft()[1].result()
        finally:
            for _, future in waiting:
                future.cancel()


def _size(source: Source) -> int:
    return source.seen.size if isinstance(source, Address) and source.seen else 0


def _read(source: Source) -> Source:
    if not isinstance(source, Address):
        return source
    try:
        return keep(source)
    except ImageError:
        return source
