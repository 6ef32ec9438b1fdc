"""What is read, and what is refused: how large an image may be, and what else a user allows."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from blemish.errors import ImageError
from blemish.images.nodata import NoData

__all__ = ["USUAL", "Bounds", "Rules"]

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

    def hold(self, width: int, height: int) -> bool:
        """Whether an image is no larger."""
        return width * height <= self.pixels and max(width, height) <= self.side

    def fill(self, width: int, height: int, file_size: int) -> bool:
        """Whether a file of so many bytes is large enough for its image."""
        return not self.dense or width * height <= max(EMPTY_PIXELS, EMPTY_RATIO * file_size)

    def admit(self, width: int, height: int, file_size: int) -> bool:
        """Whether a file of so many bytes may be read for an image of this size."""
        return self.hold(width, height) and self.fill(width, height, file_size)

    def refusal(self, width: int, height: int, file_size: int, name: str) -> ImageError:
        """The error for an image that is larger, or whose file is too small for it."""
        if not self.hold(width, height):
            return ImageError(
                f"{name} claims {width} x {height} pixels; at most {self.pixels:,} are read, and at most {self.side:,} "
                f"on a side. Shrink or cut it, or raise the bound (max_pixels)."
            )
        return ImageError(
            f"{name} claims {width} x {height} pixels in {file_size:,} bytes, which is far too little for a "
            f"photograph. Save it again, or give a bound of your own (max_pixels)."
        )


@dataclass(frozen=True)
class Rules:
    """What is read, and what is refused."""

    bounds: Bounds = field(default_factory=Bounds)
    accept_damaged: bool = False
    """Whether files are read whose format says that they are damaged, as far as they can be."""
    nodata: NoData = "auto"
    """The value of float pixels that were not measured; "auto": recognised."""

    @classmethod
    def of(
        cls,
        *,
        accept_damaged: bool = False,
        max_pixels: int | None = None,
        nodata: NoData = "auto",
        sizes: Iterable[tuple[int, int]] = (),
    ) -> "Rules":
        """The rules where `max_pixels`, or else the (height, width) of good images, if any, bound what is read."""
        known = list(sizes)
        if max_pixels is not None:
            return cls(Bounds(max_pixels, max_pixels, dense=False), accept_damaged, nodata)
        return cls(Bounds.around(known) if known else Bounds(), accept_damaged, nodata)


USUAL = Rules()
"""What is read where nobody says otherwise."""
