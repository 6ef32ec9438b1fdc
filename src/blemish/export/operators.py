"""Write a graph of standard ONNX operators, one call an operator."""

import hashlib
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from blemish.arrays import Array

__all__ = ["BAND", "DOUBLE", "FLOAT", "INT32", "INT64", "MEMORY", "PREFIX", "UINT8", "Operators", "Value", "numbers"]

DOUBLE, FLOAT = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT
INT32, INT64, UINT8 = onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.UINT8

PREFIX = "blemish/export/"
"""Starts every name made here, so that none collides with the network's."""

MEMORY = f"{PREFIX}memory"
"""Starts the names of what a method remembers: of it alone, fewer bits may be kept."""

BAND = f"{PREFIX}band"
"""Starts the names of constants from which a runtime makes larger ones, once it has loaded the file."""

Value = str | Array | np.number
"""What an operator reads: a tensor by name, or a constant."""


def numbers(*values: int) -> Array:
    """A constant of whole numbers: axes, shapes and places."""
    return np.array(values, np.int64)


class Operators:
    """Nodes and constants, in the order in which they were asked for."""

    def __init__(self, prefix: str = PREFIX) -> None:
        self._prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._made: dict[tuple[str, tuple[str, ...], str], str] = {}

    def __call__(self, operator: str, *inputs: Value, name: str = "", **attributes: object) -> str:
        """Add an operator with one output; returns its name, `name` where that is given.

        One that is asked for twice (two looks read the same bank) is there once.
        """
        read = [self.named(value) for value in inputs]
        same = operator, tuple(read), repr(sorted(attributes.items()))
        if not name and same in self._made:
            return self._made[same]
        made = name or f"{self._prefix}{len(self.nodes)}/{operator}"
        self.nodes.append(helper.make_node(operator, read, [made], **attributes))
        self._made[same] = made
        return made

    def two(self, operator: str, *inputs: Value, **attributes: object) -> tuple[str, str]:
        """Add an operator with two outputs."""
        made = [f"{self._prefix}{len(self.nodes)}/{operator}/{number}" for number in (0, 1)]
        self.nodes.append(helper.make_node(operator, [self.named(value) for value in inputs], made, **attributes))
        return made[0], made[1]

    def memory(self, rows: Array) -> str:
        """The name of a constant that a method remembers."""
        return self.named(rows, MEMORY)

    def named(self, value: Value, kind: str = "") -> str:
        """The name of a tensor; a constant gets one, and equal constants (a bank that is read twice) the same."""
        if isinstance(value, str):
            return value
        constant = np.asarray(value, order="C")
        known = constant.dtype.str, constant.shape, hashlib.sha256(constant.tobytes()).digest()
        if known not in self._known:
            self._known[known] = f"{kind or f'{self._prefix}constant'}{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(constant, self._known[known]))
        return self._known[known]

    def reshaped(self, value: Value, shape: Sequence[int], name: str = "") -> str:
        """The same numbers in another shape; -1 for what is left."""
        return self("Reshape", value, numbers(*shape), name=name)

    def length(self, difference: Value) -> str:
        """The Euclidean length of each row (Q, d) -> (Q)."""
        squares = self("Mul", difference, difference)
        return self("Sqrt", self("ReduceSum", squares, numbers(1), keepdims=0))
