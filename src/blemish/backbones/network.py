"""Opens somebody's ONNX network safely, cuts it down to its taps and measures them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import onnx

from blemish.arrays import Floats
from blemish.backbones.allowed import check_allowed
from blemish.backbones.runtime import onnxruntime
from blemish.errors import BackboneError

__all__ = ["FIRST_SIZE", "ImageInput", "image_input", "keep_taps", "open_network", "run_taps", "tap_strides"]

# Both axes differ by 128 between the two sizes, which every stride up to 128 that is a power of two divides:
# the difference of the grids gives the stride whatever the network pads.
FIRST_SIZE, SECOND_SIZE = (256, 320), (384, 192)


class ImageInput(NamedTuple):
    """The tensor that takes the image, 1 x 3 x H x W; `size` is its (H, W), or None where both are free."""

    name: str
    size: tuple[int, int] | None


def open_network(network: bytes) -> onnx.ModelProto:
    """Parse ONNX bytes and refuse what could read other files or run foreign code.

    Raises BackboneError for bytes that are no ONNX, and for whatever allowed.py does not let in.
    """
    try:
        model = onnx.load_model_from_string(network)
    except Exception as error:  # protobuf's class differs between its implementations
        raise BackboneError(f"This is no ONNX network ({_first_line(error)}).") from error
    check_allowed(model)
    try:  # last, since the checker looks for external files
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise BackboneError(f"This is not a valid ONNX network ({_first_line(error)}).") from error
    return model


def image_input(model: onnx.ModelProto) -> ImageInput:
    """Find the network's only input and check that it takes one float32 RGB image."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise BackboneError(f"The network has {len(inputs)} inputs; a backbone has one, the image.")
    tensor = inputs[0].type.tensor_type
    sides = [int(side.dim_value) for side in tensor.shape.dim]  # 0 where free
    if tensor.elem_type != onnx.TensorProto.FLOAT or len(sides) != 4 or sides[0] > 1 or sides[1] not in (0, 3):
        raise BackboneError(
            f"The network's input {inputs[0].name!r} is {onnx.TensorProto.DataType.Name(tensor.elem_type)} {sides}; "
            "a backbone takes one float32 RGB image, 1 x 3 x height x width."
        )
    if (sides[2] == 0) != (sides[3] == 0):
        raise BackboneError("The network fixes one side of its input; fix both height and width, or leave both free.")
    return ImageInput(inputs[0].name, (sides[2], sides[3]) if sides[2] else None)


def keep_taps(model: onnx.ModelProto, taps: Sequence[str]) -> onnx.ModelProto:
    """Return the network with the taps as its only outputs, one image a batch, and nothing that no tap needs.

    A tap is the name of any tensor inside the graph. Free sides of the input are named "height" and "width".
    """
    made = {name for node in model.graph.node for name in node.output}
    for tap in taps:
        if tap not in made:
            known = ", ".join(value.name for value in model.graph.output)
            raise BackboneError(f"The network computes no tensor named {tap!r}; its outputs are {known}.")
    graph = model.graph
    nodes = _needed_nodes(graph, taps)
    used = {name for node in nodes for name in _reads(node)}
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    image = image_input(model)
    size: tuple[int | str, int | str] = image.size or ("height", "width")
    inputs = [onnx.helper.make_tensor_value_info(image.name, onnx.TensorProto.FLOAT, [1, 3, *size])]
    outputs = [onnx.helper.make_tensor_value_info(tap, onnx.TensorProto.FLOAT, [1, None, None, None]) for tap in taps]
    kept = onnx.helper.make_graph(nodes, "backbone", inputs, outputs, weights)
    return onnx.helper.make_model(kept, opset_imports=model.opset_import, ir_version=model.ir_version)


def run_taps(network: bytes, taps: Sequence[str], image_1CHW: Floats) -> list[Floats]:
    """Run the network once on the CPU, as plainly as possible, and return its taps, each 1 x channels x h x w."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        outputs: list[Floats] = session.run(list(taps), {session.get_inputs()[0].name: image_1CHW})
    except Exception as error:  # ONNX Runtime raises a class of its own per status code
        raise BackboneError(
            f"ONNX Runtime cannot run this network on an image of shape {image_1CHW.shape}: {_first_line(error)}"
        ) from error
    return outputs


def tap_strides(network: bytes, taps: Sequence[str], size: tuple[int, int] | None) -> list[tuple[int, int]]:
    """Measure (channels, stride in pixels) of each tap by running the network: once at its fixed `size`, else at two.

    Raises BackboneError where a tap is no feature map: not 1 x channels x h x w, or of no even stride.
    """
    if size is not None:
        first, second = [(0, 0, 0)] * len(taps), _tap_shapes(network, taps, size)
        step = size
    else:
        first, second = (_tap_shapes(network, taps, side) for side in (FIRST_SIZE, SECOND_SIZE))
        step = (SECOND_SIZE[0] - FIRST_SIZE[0], SECOND_SIZE[1] - FIRST_SIZE[1])
    return [
        (after[0], _stride(tap, step, (after[1] - before[1], after[2] - before[2])))
        for tap, before, after in zip(taps, first, second, strict=True)
    ]


def _tap_shapes(network: bytes, taps: Sequence[str], size: tuple[int, int]) -> list[tuple[int, int, int]]:
    image_1CHW = np.random.default_rng(0).standard_normal((1, 3, *size), dtype=np.float32)
    shapes = []
    for tap, output in zip(taps, run_taps(network, taps, image_1CHW), strict=True):
        if output.ndim != 4 or output.shape[0] != 1:
            raise BackboneError(
                f"The tensor {tap!r} has shape {output.shape}; a tap is a feature map, 1 x channels x height x width."
            )
        shapes.append((int(output.shape[1]), int(output.shape[2]), int(output.shape[3])))
    return shapes


def _stride(tap: str, pixels: tuple[int, int], cells: tuple[int, int]) -> int:
    strides = {side // count if count and side % count == 0 else 0 for side, count in zip(pixels, cells, strict=True)}
    if len(strides) > 1 or 0 in strides:
        raise BackboneError(
            f"The tap {tap!r} has no even stride: {cells} cells for {pixels} pixels (height, width). Choose a tensor "
            "before any pooling to one value, and as a fixed size a multiple of the stride."
        )
    return strides.pop()


def _needed_nodes(graph: onnx.GraphProto, taps: Sequence[str]) -> list[onnx.NodeProto]:
    wanted, nodes = set(taps), []
    for node in reversed(graph.node):  # ONNX keeps nodes in topological order
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(_reads(node))
    return nodes[::-1]


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """All tensor names a node reads, those that its subgraphs capture included."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _reads(inner)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
