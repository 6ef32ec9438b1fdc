"""One ONNX graph from sized pixels to score and map: the network of the model, and what its method does behind it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from blemish.errors import OptionError
from blemish.export.operators import FLOAT, INT32, Operators
from blemish.export.others import nearest_image_tail, padim_tail
from blemish.export.patchcore import patchcore_tail
from blemish.export.resizing import check_resizable, resized
from blemish.export.tail import Grids, Tail
from blemish.export.tiles import tiled
from blemish.features.graph import OPSET, at_least, rename
from blemish.features.patches import make_extractor
from blemish.images.transform import Transform
from blemish.methods.nearest_image import NearestImage
from blemish.methods.padim import PaDiM
from blemish.methods.patchcore import PatchCore
from blemish.model.model import Model

__all__ = ["Exported", "export_graph"]

OUTPUTS = ("score", "map", "nearest", "distance")
REASONS = {
    "spade": "it compares with patches of images that it chooses for each image anew, out of every patch of every good "
    "image",
    "differnet": "what it does behind its network has no operators yet",
    "ganomaly": "what it does behind its network has no operators yet",
    "cavga": "what it does behind its network has no operators yet",
}


class Exported(NamedTuple):
    """A graph, and the inputs of it that say which cells count, by height and width of their grid."""

    graph: onnx.ModelProto
    cells: Mapping[tuple[int, int], str]


def export_graph(model: Model, *, resizes: bool = False) -> Exported:
    """Join the model's network with its method; `resizes` puts resizing in front.

    Raises OptionError, with the reason, for what has no operators.
    """
    transform = model.manifest.transform
    if model.manifest.aligner is not None:
        raise OptionError(
            "A model that aligns images cannot be exported: its readers cannot align. Fit with align=none."
        )
    if resizes:
        check_resizable(transform, model.manifest.places)
    shapes, network = _network(model.graph, transform)
    ops, grids = Operators(), Grids(shapes)
    tail = _tail(ops, model, grids)
    for name, tensor in tail.outputs().items():
        ops("Identity", tensor, name=name)
    cells = [helper.make_tensor_value_info(name, INT32, grid) for grid, name in grids.inputs.items()]
    graph = helper.make_graph(
        [*network.graph.node, *ops.nodes],
        "blemish",
        [*network.graph.input, *cells],
        [_output(name, model, shapes) for name in tail.outputs()],
        [*network.graph.initializer, *ops.constants],
    )
    joined = helper.make_model(graph, opset_imports=network.opset_import, ir_version=network.ir_version)
    _check_standard(joined)
    if resizes:
        return Exported(resized(joined, transform, grids.inputs), {})
    return Exported(joined, grids.inputs)


def _network(graph: bytes, transform: Transform) -> tuple[dict[str, tuple[int, int, int]], onnx.ModelProto]:
    """The shapes of the grids (h, w, d) of the whole sized image, and the network that answers them."""
    network = at_least(OPSET, onnx.load_from_string(graph))
    shown = transform.height, transform.width
    tiling = transform.tiling
    if tiling is not None:
        shown = tiling.shape(*shown)
    extractor = make_extractor(graph, *shown)
    answers = extractor(np.zeros((*shown, 3), np.dtype(transform.codes)))
    scale = transform.height / shown[0], transform.width / shown[1]
    shapes = {
        name: (round(grid.shape[0] * scale[0]), round(grid.shape[1] * scale[1]), grid.shape[2])
        for name, grid in answers.items()
    }
    for name in {"cells", *OUTPUTS}:
        rename(network.graph, name, f"network/{name}")
    if tiling is not None:
        network = tiled(network, transform, shapes)
    axes = network.graph.input[0].type.tensor_type.shape.dim
    for axis, length in zip(axes, (transform.height, transform.width, 3), strict=True):
        axis.dim_value = length
    return shapes, network


def _tail(ops: Operators, model: Model, grids: Grids) -> Tail:
    method = model.method
    if isinstance(method, PatchCore):
        return patchcore_tail(ops, method, grids)
    if isinstance(method, PaDiM):
        return padim_tail(ops, method, grids)
    if isinstance(method, NearestImage):
        return nearest_image_tail(ops, method, grids)
    name = model.manifest.method
    raise OptionError(f"A model of the method {name} cannot be exported: {REASONS[name]}.")


def _output(name: str, model: Model, shapes: Mapping[str, tuple[int, int, int]]) -> onnx.ValueInfoProto:
    transform = model.manifest.transform
    first = next(iter(shapes.values()))[:2] if isinstance(model.method, PatchCore) else (1, 1)
    shape = {"score": (1,), "map": (transform.height, transform.width)}.get(name, first)
    return helper.make_tensor_value_info(name, TensorProto.INT64 if name == "nearest" else FLOAT, shape)


def _check_standard(model: onnx.ModelProto) -> None:
    """Refuse operators of a runtime's own."""
    foreign = sorted({node.op_type for node in model.graph.node if node.domain not in ("", "ai.onnx")})
    if foreign:
        raise OptionError(f"The network has operators that are no standard ones ({', '.join(foreign)}).")
