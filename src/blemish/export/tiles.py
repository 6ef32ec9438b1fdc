"""The network of a tiled model as one graph of the whole sized image: once a tile, with the weights kept once."""

from collections.abc import Mapping
from itertools import groupby

import onnx
from onnx import compose, helper

from blemish.arrays import Array
from blemish.backbones.checked import INPUT
from blemish.export.operators import Operators, numbers
from blemish.features.tiles import Span, spans
from blemish.images.transform import Transform

__all__ = ["tiled"]


def tiled(model: onnx.ModelProto, transform: Transform, shapes: Mapping[str, tuple[int, int, int]]) -> onnx.ModelProto:
    """The graph that cuts the image into the product's tiles, shows each to the network, and joins their grids.

    `shapes` are those of the grids of the whole.
    """
    tiling, height, width = transform.tiling, transform.height, transform.width
    assert tiling is not None, "the model is tiled"
    side = tiling.shape(height, width)
    ops = Operators("blemish/tiles/")
    pieces: dict[str, list[tuple[int, str]]] = {name: [] for name in shapes}
    for row in spans(height, side[0], tiling):
        for column in spans(width, side[1], tiling):
            prefix = f"tile{row.start}x{column.start}/"
            part = compose.add_prefix(model, prefix, rename_initializers=False)
            shown = ops("Slice", INPUT, *_ends((row.start, column.start), side), name=prefix + INPUT)
            assert shown == part.graph.input[0].name, "add_prefix names the input so"
            ops.nodes += part.graph.node
            for name, (h, w, _) in shapes.items():
                kept = [_kept(row, height // h), _kept(column, width // w)]
                ends = numbers(*(each[0] for each in kept)), numbers(*(each[1] for each in kept)), numbers(0, 1)
                pieces[name].append((row.start, ops("Slice", prefix + name, *ends)))
    for name, cut in pieces.items():
        rows = [[piece for _, piece in row] for _, row in groupby(cut, key=lambda piece: piece[0])]
        ops("Concat", *(ops("Concat", *row, axis=1) for row in rows), axis=0, name=name)
    weights = [*model.graph.initializer, *ops.constants]
    graph = helper.make_graph(ops.nodes, "blemish", list(model.graph.input), list(model.graph.output), weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _ends(start: tuple[int, int], side: tuple[int, int]) -> tuple[Array, Array, Array]:
    """From where to where a tile is cut, along which axes."""
    return numbers(*start), numbers(start[0] + side[0], start[1] + side[1]), numbers(0, 1)


def _kept(span: Span, cell: int) -> tuple[int, int]:
    """Of the tile's own cells, those that are kept."""
    return (span.first - span.start) // cell, (span.last - span.start) // cell
