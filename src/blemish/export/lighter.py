"""Weights in fewer bits: those of the network and the rows of the memory, brought back to float32 inside the graph.

A runtime brings them back once, when it loads the file, and computes in float32 as before: files are smaller, answers
a little different, nothing is faster. Standard operators do it, so that any runtime reads such a file.
"""

from typing import Literal, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from blemish.arrays import Floats
from blemish.export.operators import FLOAT, MEMORY, PREFIX

__all__ = ["Precision", "lighter"]

Precision: TypeAlias = Literal["float32", "bfloat16", "int8"]

SMALLEST = 256
"""Constants of fewer numbers stay as they are."""
FILTER = 64
"""Filters of fewer weights are kept in bfloat16, whatever is asked: they are few bytes, and in 8 bits they cost most
(with the built-in network on Magnetic Tile 0.3 of the 0.4 points of AUROC that all in 8 bits cost)."""
READERS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
"""The operators of a network whose second input is weights."""


def lighter(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """The graph with its weights in so many bits: int8 for the network's larger filters, bfloat16 for the rest."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    if precision == "float32":
        return made
    graph, weights = made.graph, _weights(model.graph)
    kept: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    for constant in model.graph.initializer:
        if constant.name not in weights:
            kept.append(constant)
            continue
        values = numpy_helper.to_array(constant)
        small = constant.name.startswith(MEMORY) or values[0].size < FILTER
        parts, unpacking = (_bfloat16 if precision == "bfloat16" or small else _int8)(constant.name, values)
        kept += parts
        nodes += unpacking
    nodes += model.graph.node
    for field, items in ((graph.initializer, kept), (graph.node, nodes)):
        del field[:]
        field.extend(items)
    return made


def _weights(graph: onnx.GraphProto) -> set[str]:
    """The constants in float32 that are the network's weights, or the memory's rows."""
    read = {node.input[1] for node in graph.node if node.op_type in READERS}
    return {
        constant.name
        for constant in graph.initializer
        if constant.data_type == FLOAT
        and np.prod(constant.dims) >= SMALLEST
        and (constant.name.startswith(MEMORY) or (constant.name in read and not constant.name.startswith(PREFIX)))
    }


def _bfloat16(name: str, values: Floats) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """The upper 16 bits of each number, rounded half to even."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    upper = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    constant = helper.make_tensor(f"{name}/bfloat16", TensorProto.BFLOAT16, values.shape, upper.tobytes(), raw=True)
    return [constant], [helper.make_node("Cast", [constant.name], [name], to=FLOAT)]


def _int8(name: str, values: Floats) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """Each filter in whole numbers of -127 to 127, over a scale of its own."""
    largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(127), np.float32(1))
    whole = numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}/int8")
    scales = numpy_helper.from_array(scale, f"{name}/scale")
    return [whole, scales], [
        helper.make_node("Cast", [whole.name], [f"{name}/whole"], to=FLOAT),
        helper.make_node("Mul", [f"{name}/whole", scales.name], [name]),
    ]
