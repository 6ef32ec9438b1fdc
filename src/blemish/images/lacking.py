"""What an image lacks: pixels that were not measured, and an end of one constant value, as cameras and copies leave.

A verdict on what was not seen would be worth nothing. What is usual is told by the good images: a height map whose
part lies on a plate that is never measured lacks much, and always.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blemish.arrays import Array
from blemish.errors import ImageError
from blemish.images.training_image import TrainingImage

__all__ = ["Usual", "constant_end"]

LEAST_MEASURED = 0.5
"""An image of which less was measured than this share of what the least measured good image has is an error."""
LEAST_END = 1 / 32
"""A constant end is named from this share of the height or the width on: a row of JPEG blocks in 512 pixels."""
LONGER_END = 2.0
"""Where good images have constant ends, from this multiple of the longest of them on."""
FEWEST_LINES = 4
"""No fewer rows or columns are called an end."""


def constant_end(image: Array) -> float:
    """The share of the rows at the bottom, or of the columns at the right, that hold one constant value (per channel).

    Those are what is decoded last, upright or turned by a quarter; the larger share of the two. 0 where there are fewer
    than four such rows or columns.
    """
    return max(_end(image), _end(image.swapaxes(0, 1)))


def _end(rows: Array) -> float:
    """The share of the last rows that equal the last value of all."""
    last = rows[-1, -1]
    count = 0
    while count < len(rows) and (rows[len(rows) - 1 - count] == last).all():
        count += 1
    return count / len(rows) if count >= FEWEST_LINES else 0.0


@dataclass(frozen=True)
class Usual:
    """What the good images of a model lack themselves."""

    end: float | None
    """Their longest constant end, as a share; None where the model is older than that."""
    measured: float | None
    """The share of pixels that was measured of the one with the fewest; None likewise."""

    @classmethod
    def of(cls, images: Iterable[TrainingImage]) -> "Usual":
        """Of all images that the model knows."""
        known = list(images)
        ends, measured = (_all_known([getattr(each, name) for each in known]) for name in ("end", "measured"))
        return cls(max(ends, default=None), min(measured, default=None))

    def check_measured(self, unmeasured: int, pixels: int, name: str) -> None:
        """Raise ImageError where so little of an image was measured that no verdict can be given."""
        least = LEAST_MEASURED * (1.0 if self.measured is None else self.measured)
        if pixels - unmeasured < least * pixels:
            raise ImageError(
                f"{name} was measured at {(pixels - unmeasured) / pixels:.1%} of its pixels only; a verdict takes "
                f"{least:.1%}, half of what the least measured good image has. Take it again."
            )

    def doubt(self, end: float) -> str | None:
        """Why an image with such a constant end needs a look; None where it does not."""
        if self.end is None or end < max(LEAST_END, LONGER_END * self.end):
            return None
        return f"The last {end:.0%} of the image are one constant value, as in no good image: was it taken whole?"


def _all_known(values: Sequence[float | None]) -> list[float]:
    """The values; none where one is not known."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []
