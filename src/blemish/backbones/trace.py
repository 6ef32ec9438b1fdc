"""Traces a PyTorch module with taps into a clean, single-file ONNX graph; needs the [torch] extra."""

from collections.abc import Sequence
from typing import Any

import onnx
import torch
from timm.layers import Conv2dSame

from blemish.errors import BackboneError

__all__ = ["trace"]

OPSET = 18


def trace(module: Any, taps: Sequence[str], size: tuple[int, int] | None, *, channels: int = 3) -> bytes:
    """Return the ONNX bytes of a module from "input", 1 x channels x H x W, to its taps, batch norms folded.

    Height and width are free where `size` is None. Changes the module's padding: run it before, not after.
    """
    same = _fix_padding(module)
    free = ({2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},)
    try:
        program = torch.onnx.export(
            module.eval(),
            (torch.zeros(1, channels, *(size or (224, 256))),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["input"],
            output_names=list(taps),
            dynamic_shapes=None if size else free,
            verbose=False,
        )
    except Exception as error:  # the exporter wraps whatever its tracer met
        raise BackboneError(f"PyTorch cannot export this network: {str(error).splitlines()[0]}") from error
    model: onnx.ModelProto = program.model_proto
    _set_same_padding(model.graph, same)
    _drop_traces(model)
    _name_sides(model.graph)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _fix_padding(module: Any) -> set[str]:
    """Replace TensorFlow's SAME convolutions, which compute their padding from the image; return their weights' names.

    The stand-ins give the same shapes but other values: `_set_same_padding` puts the padding right in the
    ONNX graph, where it is one attribute instead of a dozen operators.
    """
    replaced = set()
    for name, conv in list(module.named_modules()):
        if type(conv) is not Conv2dSame or not all(side % 2 for side in conv.kernel_size):
            continue
        padding = [d * (side // 2) for side, d in zip(conv.kernel_size, conv.dilation, strict=True)]
        plain = torch.nn.Conv2d(
            conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, padding, conv.dilation, conv.groups
        )
        plain.weight, plain.bias = conv.weight, conv.bias
        module.set_submodule(name, plain)
        replaced.add(f"{name}.weight")
    return replaced


def _set_same_padding(graph: onnx.GraphProto, weights: set[str]) -> None:
    for node in graph.node:
        if node.op_type == "Conv" and node.input[1] in weights:
            kept = [attribute for attribute in node.attribute if attribute.name not in ("pads", "auto_pad")]
            node.ClearField("attribute")
            node.attribute.extend([*kept, onnx.helper.make_attribute("auto_pad", "SAME_UPPER")])


def _drop_traces(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes about its work: stack traces with paths, generated names."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    graph.ClearField("value_info")
    graph.name = "backbone"
    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{index}"


def _name_sides(graph: onnx.GraphProto) -> None:
    sides = graph.input[0].type.tensor_type.shape.dim
    for side, name in zip(sides[2:], ("height", "width"), strict=True):
        if not side.dim_value:
            side.dim_param = name
    for output in graph.output:
        for side in output.type.tensor_type.shape.dim:
            side.ClearField("dim_param")  # formulas of the input's sides that nothing reads
