"""What a network to train is to the training loop, and to the method it belongs to."""

from typing import Any, Protocol

from blemish.arrays import Array
from blemish.methods.good_images import GoodImages

__all__ = ["Learner", "Trainee"]


class Learner(Protocol):
    """Networks, the data they learn from, and what one step teaches them."""

    networks: dict[str, Any]
    """torch modules by name; their state is what training makes."""
    optimizers: dict[str, Any]
    data: Array
    """One entry along the first axis for each thing to learn from."""

    def step(self, images: Any, generator: Any) -> float:
        """Learn from a batch, the numbers of some entries; returns the batch's loss."""


class Trainee(Learner, Protocol):
    """The networks of one method, which learn from the good images: `data` holds an entry for each."""

    epochs: int
    batch: int
    """How long its schedule trains, and on how many images at once."""
    tensors: dict[str, Array]
    """What the model file says of it beside the losses."""

    def graph(self, good: GoodImages) -> bytes:
        """The trained network as a graph from sized pixels to the grids "score" and "map"."""
