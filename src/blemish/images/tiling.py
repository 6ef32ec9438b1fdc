"""How an input that is larger than one call of the network is cut into tiles."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Tiling"]


class Tiling(BaseModel):
    """How a sized image is cut for the network, in pixels; all of them multiples of `unit`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: int
    """A tile is at most so long."""
    margin: int
    """A patch is taken from a tile that shows at least so much around it, but at the image's own edge."""
    unit: int
    """Tiles begin at multiples of it, so that their grids fall together."""

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of every tile of an input of this size."""
        return self._least_side(height), self._least_side(width)

    def count(self, length: int, side: int) -> int:
        """How many tiles of a side it takes to cover a length."""
        return 1 + max(0, -(-(length - side) // (side - 2 * self.margin)))

    def _least_side(self, length: int) -> int:
        """The shortest side that covers a length with as many tiles as the longest does: less is seen twice."""
        if length <= self.side:
            return length
        count = self.count(length, self.side)
        return -(-(length + (count - 1) * 2 * self.margin) // (count * self.unit)) * self.unit
