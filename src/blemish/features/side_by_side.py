"""Several graphs of one image as one: what an ensemble inspects with."""

from collections.abc import Sequence

import onnx
from onnx import compose, helper

from blemish.features.graph import INPUT, OPSET, at_least, output, rename

__all__ = ["side_by_side"]


def side_by_side(graphs: Sequence[bytes]) -> bytes:
    """One graph that shows its image to all of them; grid NAME of graph number i becomes NAMEi.

    The graphs are those of `build_graph`, for pixels of one type.
    """
    parts = []
    for number, graph in enumerate(graphs):
        model = at_least(OPSET, onnx.load_from_string(graph))
        names = [grid.name for grid in model.graph.output]
        part = compose.add_prefix(model, f"network{number}/")
        rename(part.graph, f"network{number}/{INPUT}", INPUT)
        for name in names:
            rename(part.graph, f"network{number}/{name}", f"{name}{number}")
        parts.append(part)
    opset = max(entry.version for part in parts for entry in part.opset_import)
    parts = [at_least(opset, part) for part in parts]
    grids = [grid.name for part in parts for grid in part.graph.output]
    graph = helper.make_graph(
        [node for part in parts for node in part.graph.node],
        "blemish",
        [_input([part.graph.input[0] for part in parts])],
        [output(name, first=number == 0) for number, name in enumerate(grids)],
        [values for part in parts for values in part.graph.initializer],
    )
    joined = helper.make_model(
        graph, opset_imports=parts[0].opset_import, ir_version=max(part.ir_version for part in parts)
    )
    onnx.checker.check_model(joined)
    return bytes(joined.SerializeToString())


def _input(inputs: Sequence[onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    """The image as the pickiest of the graphs takes it: some networks take one size only."""
    return max(inputs, key=lambda image: sum(axis.HasField("dim_value") for axis in image.type.tensor_type.shape.dim))
