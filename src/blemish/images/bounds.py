"""How large an image may be: asked of its header, before anything is decoded."""

from collections.abc import Iterable
from dataclasses import dataclass

from blemish.errors import ImageError

__all__ = ["Bounds"]

EMPTY_PIXELS, EMPTY_RATIO = 1 << 24, 2_000
"""Above so many pixels, a file must spend a byte on so many of them. No photograph takes less; a file that claims a
size it does not hold takes 8,000."""
SPARE_PIXELS, SPARE_SIDE = 16, 8
"""How much larger than the largest good image an inspected one may be."""
LEAST_PIXELS, LEAST_SIDE = 1 << 20, 4096
"""Small images are always read, however small the good ones were."""


@dataclass(frozen=True)
class Bounds:
    """The largest image that is read."""

    pixels: int = 178_956_970
    """Height times width; by default Pillow's own bound."""
    side: int = 65_535
    """The longer one of height and width, in pixels."""
    dense: bool = True
    """Whether a large image whose file is far too small for it is refused."""

    @classmethod
    def around(cls, sizes: Iterable[tuple[int, int]]) -> "Bounds":
        """What may come where the good images had these sizes, (height, width) in pixels; at least one."""
        known = list(sizes)
        pixels = max(height * width for height, width in known)
        side = max(max(size) for size in known)
        return cls(max(SPARE_PIXELS * pixels, LEAST_PIXELS), max(SPARE_SIDE * side, LEAST_SIDE))

    def check(self, width: int, height: int, file_size: int | None, name: str) -> None:
        """Raise ImageError where an image is larger; `file_size` is in bytes, None for an image in memory."""
        if width * height > self.pixels or max(width, height) > self.side:
            raise ImageError(
                f"{name} claims {width} x {height} pixels; at most {self.pixels:,} are read, and at most {self.side:,} "
                f"on a side. Shrink or cut it, or raise the bound (max_pixels)."
            )
        if self.dense and file_size and width * height > max(EMPTY_PIXELS, EMPTY_RATIO * file_size):
            raise ImageError(
                f"{name} claims {width} x {height} pixels in {file_size:,} bytes, which is far too little for a "
                f"photograph. Save it again, or give a bound of your own (max_pixels)."
            )
