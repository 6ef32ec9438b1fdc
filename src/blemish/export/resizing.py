"""Resizing inside the graph, for programs that have no Pillow: the picture's pixels in, at whatever size they are.

Pillow's bilinear filter is two products with matrices of weights, along rows and along columns, each rounded to whole
values. The matrices follow from the picture's size, so they are made in the graph, of plain operators: the
operator Resize answers differently in every runtime.
"""

import numpy as np
import onnx
import PIL
from onnx import TensorProto, helper

from blemish.backbones.checked import INPUT
from blemish.errors import OptionError
from blemish.export.operators import DOUBLE, UINT8, Operators, numbers
from blemish.features.graph import rename
from blemish.images.places import Places
from blemish.images.transform import Transform

__all__ = ["check_resizable", "resized"]

SIZED = "blemish/sized"
"""The name of what was the input."""
ONE = 2.0**22
"""Pillow weighs 8-bit pixels by whole numbers of so many parts; float64 holds their sums exactly."""
COLUMNS_FIRST_SINCE = 13
"""Of Pillow: docs/export.md, on resizing."""


def check_resizable(transform: Transform, places: Places | None) -> None:
    """Refuse what takes more than stretching 8-bit pixels. Raises OptionError."""
    if transform.resize != "stretch" or transform.pixels != "uint8" or transform.tiling or places:
        raise OptionError(
            "Option with_resize cannot be used with this model: it is for 8-bit images, stretched to one size, without "
            "areas or tiles. Fit with resize=stretch, or resize in the reader."
        )


def resized(model: onnx.ModelProto, transform: Transform, cells: dict[tuple[int, int], str]) -> onnx.ModelProto:
    """The graph for pictures of any size (height x width x 3); all cells count, so no input says which."""
    graph = model.graph
    rename(graph, INPUT, SIZED)
    ops = Operators("blemish/resize/")
    lengths = ops("Shape", INPUT)
    planes = ops("Cast", ops("Transpose", INPUT, perm=[2, 0, 1]), to=DOUBLE)
    across = ops("Transpose", _weights(ops, lengths, 1, transform.width), perm=[1, 0])
    down = _weights(ops, lengths, 0, transform.height)
    both = _in_order(ops, planes, across, down, _down_first(ops, lengths, transform))
    ops("Cast", ops("Transpose", both, perm=[1, 2, 0]), to=UINT8, name=SIZED)
    for grid, name in cells.items():
        shown = np.arange(grid[0] * grid[1], dtype=np.int32).reshape(grid)
        ops.constants.append(onnx.numpy_helper.from_array(shown, name))
    picture = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["picture_height", "picture_width", 3])
    joined = helper.make_graph(
        [*ops.nodes, *graph.node], "blemish", [picture], list(graph.output), [*ops.constants, *graph.initializer]
    )
    return helper.make_model(joined, opset_imports=model.opset_import, ir_version=model.ir_version)


def _down_first(ops: Operators, lengths: str, transform: Transform) -> str:
    """Whether Pillow resizes along columns first, as it does from version 13 on where the height loses most."""
    if int(PIL.__version__.split(".")[0]) < COLUMNS_FIRST_SINCE:
        return ops.named(np.array(False))
    lost = ops("Sub", lengths, numbers(transform.height, transform.width, 3))
    height, width = (ops("Gather", lost, np.int64(axis)) for axis in (0, 1))
    return ops("And", ops("Greater", height, np.int64(0)), ops("Greater", height, ops("Mul", width, np.int64(2))))


def _in_order(ops: Operators, planes: str, across: str, down: str, down_first: str) -> str:
    branches = {}
    for name in ("then_branch", "else_branch"):
        inner = Operators(f"blemish/resize/{name}/")
        value = planes
        for left, right in ((down, None), (None, across)) if name == "then_branch" else ((None, across), (down, None)):
            product = inner("MatMul", left or value, right or value)
            value = inner("Floor", inner("Add", inner("Mul", product, np.float64(1 / ONE)), np.float64(0.5)))
        output = helper.make_tensor_value_info(value, DOUBLE, None)
        branches[name] = helper.make_graph(inner.nodes, name, [], [output], inner.constants)
    return ops("If", down_first, **branches)


def _weights(ops: Operators, lengths: str, axis: int, to: int) -> str:
    """How much each pixel along a side (n) counts for each sized pixel (to x n): a triangle, wider where it shrinks."""
    length = ops("Cast", ops("Gather", lengths, np.int64(axis)), to=DOUBLE)
    scale = ops("Div", length, np.float64(to))
    centres = ops("Mul", np.arange(to)[:, None] + 0.5, scale)
    pixels = ops("Add", ops("Range", np.float64(0), length, np.float64(1)), np.float64(0.5))
    away = ops("Div", ops("Abs", ops("Sub", pixels, centres)), ops("Max", scale, np.float64(1)))
    heights = ops("Max", ops("Sub", np.float64(1), away), np.float64(0))
    shares = ops("Div", heights, ops("ReduceSum", heights, numbers(1), keepdims=1))
    return ops("Floor", ops("Add", ops("Mul", shares, np.float64(ONE)), np.float64(0.5)))
