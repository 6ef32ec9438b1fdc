"""A graph that came with a model, checked once: models of the same bytes hold one, with all that follows from them."""

import numpy as np

from blemish.backbones.network import open_network
from blemish.backbones.shapes import Outline, Shape, Work
from blemish.errors import BackboneError
from blemish.system.shared import Shared

__all__ = ["INPUT", "CheckedGraph", "checked_graph"]

INPUT = "image"
"""The name of the one input of every graph that blemish makes and runs."""


class CheckedGraph:
    """A graph that may be run, and what it takes. What it keeps follows from its bytes and a shape, nothing else."""

    def __init__(self, content: bytes) -> None:
        """Raises BackboneError for bytes that are no ONNX, and for what a graph must not hold (allowed.py)."""
        self.content = content
        self._outline = Outline.of(open_network(content))
        self._works: dict[Shape, Work] = {}

    def check_takes(self, codes: np.dtype[np.unsignedinteger]) -> None:
        """Raise BackboneError unless its one input is an image of these codes, and all that it answers is float32."""
        graph = self._outline.model.graph
        kinds = [_numpy(value.type.tensor_type.elem_type) for value in (*graph.input, *graph.output)]
        ranks = [len(value.type.tensor_type.shape.dim) for value in graph.input]
        if [value.name for value in graph.input] != [INPUT] or ranks != [3] or kinds[0] != codes:
            raise BackboneError(f"its only input must be {INPUT}, height x width x 3 of {codes}.")
        if any(kind != np.float32 for kind in kinds[1:]):
            raise BackboneError("its outputs must be float32.")

    def work(self, image: Shape) -> Work:
        """What it takes for an image of this shape: reckoned once. Raises BackboneError where that is too much."""
        if image not in self._works:
            self._works[image] = self._outline.work(image)
        return self._works[image]


def checked_graph(content: bytes) -> CheckedGraph:
    """The graph of these bytes, checked now unless somebody holds it already. Raises BackboneError."""
    return _CHECKED.get(content, lambda: CheckedGraph(content))


_CHECKED: Shared[bytes, CheckedGraph] = Shared()


def _numpy(kind: int) -> np.dtype:
    names = {1: "float32", 2: "uint8", 4: "uint16"}
    return np.dtype(names.get(kind, "object"))
