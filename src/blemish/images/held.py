"""Images that were decoded and will be needed again: held, where memory allows, until they are taken."""

from blemish.arrays import Array
from blemish.images.read import Source, image_name

__all__ = ["Held"]

ROOM = 256 * 2**20
"""Bytes: 200 images of 600 x 700 in colour."""
SHARE = 4
"""Of a memory budget, no more than one part in so many."""


class Held:
    """The pixels of some images by number, as many as there is room for; each is given out in place of its source."""

    def __init__(self, memory: int | None = None) -> None:
        """`memory` is the budget of all that is done meanwhile, in bytes."""
        self._room = ROOM if memory is None else min(ROOM, memory // SHARE)
        self._pixels: dict[int, Array] = {}

    def hold(self, number: int, image: Array) -> None:
        """Keep the pixels that image `number` was decoded to, if there is room."""
        if image.nbytes <= self._room:
            self._room -= image.nbytes
            self._pixels[number] = image

    def seen(self, number: int, source: Source) -> Source:
        """What gives the pixels of image `number`: those that are held, or its source."""
        image = self._pixels.get(number)
        return source if image is None else (image_name(source), image)

    def take(self, number: int, source: Source) -> Source:
        """The same, for the last time: the pixels are held no longer."""
        given = self.seen(number, source)
        self._pixels.pop(number, None)
        return given
