"""One graph from sized pixels to patches: normalise, backbone, neighbourhood pooling, resize, merge.

Fitting, inspection and export all run this graph, so they cannot disagree.
Its input "image" is height x width x 3 (uint8 or uint16), each of its outputs a named grid h x w x d (float32).
PatchCore, equations 1 to 3; the merge "adaptive" is that of the published code.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import onnx
import onnx.version_converter
from onnx import TensorProto, helper

from blemish.backbones.backbone import Backbone, Tap
from blemish.backbones.checked import INPUT
from blemish.backbones.network import keep_taps, open_network
from blemish.errors import OptionError
from blemish.features.merge import BATCH_AXIS, PREFIX, Grid, MergeNodes, constant, merge_nodes

__all__ = [
    "EVEN_CONTRAST",
    "EVEN_LEVEL",
    "LEAST_CONTRAST",
    "OPSET",
    "Grid",
    "at_least",
    "build_graph",
    "choose_taps",
    "output",
    "rename",
]

OPSET, IR_VERSION = 17, 8
"""Networks of an older operator set or file version are brought up to these before they are joined."""
EVEN_LEVEL, EVEN_CONTRAST, LEAST_CONTRAST = 127, 40, 4
"""The mean and the deviation of an image in even light, and the least deviation that is widened, of 255."""


def choose_taps(backbone: Backbone, taps: Sequence[str | int]) -> list[Tap]:
    """The backbone's taps by name or level, shallowest first; its default ones for an empty sequence."""
    known = backbone.manifest.taps
    wanted = list(taps) or list(backbone.manifest.default_taps)
    chosen = [tap for tap in known if tap.name in wanted or tap.level in wanted or str(tap.level) in wanted]
    found = {name for tap in chosen for name in (tap.name, tap.level, str(tap.level))}
    missing = [str(name) for name in wanted if name not in found]
    if missing:
        offered = ", ".join(f"{tap.name} (level {tap.level}, stride {tap.stride})" for tap in known)
        raise OptionError(f"Backbone {backbone.manifest.name} has no tap {', '.join(missing)}; it offers {offered}.")
    return sorted(chosen, key=lambda tap: (tap.stride, tap.level))


def build_graph(
    backbone: Backbone,
    grids: Mapping[str, Grid],
    *,
    pixels: Literal["uint8", "uint16"] = "uint8",
    reduction: int = 1,
    even: bool = False,
) -> bytes:
    """Join normalisation, the backbone up to its deepest tap, and the named grids into one ONNX graph.

    The network sees the image averaged down by `reduction`, a whole factor of its height and width, and with `even`
    brought to one brightness and contrast.
    """
    assert INPUT not in grids, f"{INPUT!r} is the name of the input"
    own_names = {INPUT, *grids}
    taps = {tap.name: None for grid in grids.values() for tap in grid.taps}
    model = at_least(OPSET, keep_taps(open_network(backbone.onnx), list(taps)))
    network = model.graph
    for name in own_names:
        rename(network, name, _free(name, own_names))
    merged = [_merge(name, grid, own_names) for name, grid in grids.items()]
    nodes = [
        *_normalise(_free(backbone.manifest.input, own_names), reduction, even=even),
        *network.node,
        *(node for merging in merged for node in merging.nodes),
    ]
    size: Sequence[int | str] = backbone.manifest.size or ("height", "width")
    pixel_type = TensorProto.UINT8 if pixels == "uint8" else TensorProto.UINT16
    graph = helper.make_graph(
        nodes,
        "blemish",
        [helper.make_tensor_value_info(INPUT, pixel_type, [*size, 3])],
        [output(name, first=number == 0) for number, name in enumerate(grids)],
        [
            *network.initializer,
            *_normalise_constants(backbone, pixels),
            *(_even_constants() if even else []),
            *(constant for merging in merged for constant in merging.constants),
        ],
    )
    joined = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    onnx.checker.check_model(joined)
    return bytes(joined.SerializeToString())


def output(name: str, *, first: bool) -> onnx.ValueInfoProto:
    """How a graph announces a grid, h x w x d."""
    # Axes of one name have one length, and grids of several taps have not.
    axes = ["h", "w", "d"] if first else [f"h/{name}", f"w/{name}", f"d/{name}"]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, axes)


def _merge(name: str, grid: Grid, own_names: Collection[str]) -> MergeNodes:
    """Merge the taps of one grid, and lay them out as h x w x d under its name."""
    taps = [tap.model_copy(update={"name": _free(tap.name, own_names)}) for tap in grid.taps]
    return merge_nodes(replace(grid, taps=taps), name)


def at_least(opset: int, model: onnx.ModelProto) -> onnx.ModelProto:
    """Bring a network of an older operator set, or file version, up to the one it is joined in."""
    # Files before version 4 list every weight among the inputs too, which keep_taps has undone.
    model.ir_version = max(model.ir_version, IR_VERSION)
    version = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return model if version >= opset else onnx.version_converter.convert_version(model, opset)


def _free(name: str, own_names: Collection[str]) -> str:
    """What a tensor of the network is called in our graph: one that bears the name of an input or output is renamed."""
    return f"network/{name}" if name in own_names else name


def rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Give a tensor another name wherever it is made or read, in subgraphs too."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                rename(inner, old, new)
    for named in (*graph.input, *graph.output, *graph.initializer):
        named.name = new if named.name == old else named.name


def _normalise(network_input: str, reduction: int, *, even: bool) -> list[onnx.NodeProto]:
    """Codes to the network's input: channels first, averaged down, made even, then scaled and centred per channel."""
    batch = PREFIX + "batch" if reduction == 1 else PREFIX + "large"
    square = {"kernel_shape": [reduction] * 2, "strides": [reduction] * 2}
    averaged = helper.make_node("AveragePool", [batch], [PREFIX + "batch"], **square)
    return [
        helper.make_node("Cast", ["image"], [PREFIX + "values"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", [PREFIX + "values"], [PREFIX + "planes"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", [PREFIX + "planes", BATCH_AXIS], [batch]),
        *([averaged] if reduction > 1 else []),
        helper.make_node("Mul", [PREFIX + "batch", PREFIX + "unit"], [PREFIX + ("uneven" if even else "units")]),
        *(_even() if even else []),
        helper.make_node("Sub", [PREFIX + "units", PREFIX + "mean"], [PREFIX + "centred"]),
        helper.make_node("Div", [PREFIX + "centred", PREFIX + "std"], [network_input]),
    ]


def _even() -> list[onnx.NodeProto]:
    """Each image to one brightness and contrast: mean and deviation over all its pixels and channels become fixed.

    Both means are taken twice: of so many pixels, some runtimes are off by 1e-4 of it, and by nothing of what is left.
    """
    steps = [
        ("ReduceMean", ["uneven"], "level"),
        ("Sub", ["uneven", "level"], "nearly"),
        ("ReduceMean", ["nearly"], "rest"),
        ("Sub", ["nearly", "rest"], "about"),
        ("Mul", ["about", "about"], "squares"),
        ("ReduceMean", ["squares"], "spread"),
        ("Sub", ["squares", "spread"], "uneven_spread"),
        ("ReduceMean", ["uneven_spread"], "more_spread"),
        ("Add", ["spread", "more_spread"], "variance"),
        ("Sqrt", ["variance"], "contrast"),
        ("Max", ["contrast", "least_contrast"], "divisor"),
        ("Div", ["about", "divisor"], "standard"),
        ("Mul", ["standard", "even_contrast"], "wide"),
        ("Add", ["wide", "even_level"], "shifted"),
        ("Clip", ["shifted", "darkest", "brightest"], "units"),
    ]
    return [helper.make_node(step, [PREFIX + name for name in names], [PREFIX + made]) for step, names, made in steps]


def _even_constants() -> list[onnx.TensorProto]:
    """In units of the brightest code; an image of less contrast than the least is not blown up to noise."""
    ends = {"darkest": 0, "brightest": 255}
    values = {"even_level": EVEN_LEVEL, "even_contrast": EVEN_CONTRAST, "least_contrast": LEAST_CONTRAST, **ends}
    return [constant(name, np.array(value / 255, np.float32)) for name, value in values.items()]


def _normalise_constants(backbone: Backbone, pixels: Literal["uint8", "uint16"]) -> list[onnx.TensorProto]:
    per_channel = (1, 3, 1, 1)
    return [
        constant("unit", np.array(1 / 255 if pixels == "uint8" else 1 / 65535, np.float32)),
        constant("mean", np.asarray(backbone.manifest.mean, np.float32).reshape(per_channel)),
        constant("std", np.asarray(backbone.manifest.std, np.float32).reshape(per_channel)),
        constant(BATCH_AXIS.removeprefix(PREFIX), np.array([0], np.int64)),
    ]
