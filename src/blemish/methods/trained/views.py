"""DifferNet's features as one ONNX graph: turned views of an image, at three scales, through a frozen backbone.

The image is turned about its centre by V angles, evenly spread, the first of them 0; each view is halved twice; the
backbone's taps of all three are averaged over positions. Pixels that a turn brings in from outside have the backbone's
mean colour. The same graph makes the features that are learnt from and those that are inspected.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from blemish.arrays import Array, Floats
from blemish.backbones.backbone import Backbone, Tap
from blemish.backbones.network import keep_taps, open_network
from blemish.features.graph import at_least

__all__ = ["IMAGE", "MAP", "VIEWS", "draw_map", "view_features"]

SCALES = (1, 2, 4)
IMAGE, VIEWS, MAP = "views/image", "views", "views/map"
OPSET = 18
"""That of the flow's export; a backbone of an older operator set is brought up to it."""


def view_features(backbone: Backbone, taps: Sequence[Tap], height: int, width: int, views: int) -> onnx.ModelProto:
    """From "views/image" (1 x 3 x H x W, normalised) to "views": V views of D values, 1 x (V D) x 1 x 1.

    D is three times the taps' channels. The other outputs are the taps of the first view, the image as it is, which
    `draw_map` reads.
    """
    network = at_least(OPSET, keep_taps(open_network(backbone.onnx), [tap.name for tap in taps]))
    scales, values = _scales(network.graph, backbone.manifest.input, IMAGE, taps, "")
    # A scan runs its body once for each turn: no more memory than one view takes, and a backbone sees one image a call.
    nodes = [
        *scales,
        helper.make_node(
            "Scan", ["views/turns"], ["views/turned"], body=_turned(network, backbone, taps), num_scan_inputs=1
        ),
        helper.make_node("Unsqueeze", ["vector", "views/first_axis"], ["views/first"]),
        helper.make_node("Concat", ["views/first", "views/turned"], ["views/all"], axis=0),
        helper.make_node("Reshape", ["views/all", "views/vector_shape"], [VIEWS]),
    ]
    outputs = [VIEWS, *_tap_names(taps)]
    graph = helper.make_graph(
        nodes,
        "views",
        [helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None]) for name in outputs],
        [
            *network.graph.initializer,
            _constant("turns", _turns(views, height, width)[1:]),
            _constant("pixels", _pixels(height, width)),
            _constant("grid_shape", np.array([1, height, width, 2], np.int64)),
            _constant("flat", np.array([-1], np.int64)),
            _constant("first_axis", np.array([0], np.int64)),
            _constant("vector_shape", np.array([1, views * values, 1, 1], np.int64)),
        ],
    )
    joined = helper.make_model(graph, opset_imports=network.opset_import, ir_version=network.ir_version)
    onnx.checker.check_model(joined)
    return joined


def draw_map(graph: onnx.GraphProto, taps: Sequence[Tap], gradient: str, offset: str) -> None:
    """Add a map "views/map" (1 x 1 x h x w) to a graph of views: what each position adds to the score, to first order.

    A value of the vector is the mean of a tap's channel, so the gradient by it (`gradient`, 1 x D x 1 x 1) weighs that
    channel everywhere alike; `offset` is what the mean good image makes of the same gradient, and is taken off.
    """
    parts: list[str] = []
    start = 0
    for tap, name in zip(list(taps) * len(SCALES), _tap_names(taps), strict=True):
        prefix = f"map/{name}"
        graph.initializer.extend(
            [
                numpy_helper.from_array(np.array([start], np.int64), f"{prefix}/start"),
                numpy_helper.from_array(np.array([start + tap.channels], np.int64), f"{prefix}/stop"),
            ]
        )
        nodes = [
            helper.make_node(
                "Slice", [gradient, f"{prefix}/start", f"{prefix}/stop", "map/channels"], [f"{prefix}/own"]
            ),
            helper.make_node("Mul", [name, f"{prefix}/own"], [f"{prefix}/weighed"]),
            helper.make_node("ReduceSum", [f"{prefix}/weighed", "map/channels"], [f"{prefix}/sum"], keepdims=1),
        ]
        if not parts:
            nodes.append(helper.make_node("Shape", [f"{prefix}/sum"], ["map/shape"]))
        nodes.append(
            helper.make_node("Resize", [f"{prefix}/sum", "", "", "map/shape"], [f"{prefix}/drawn"], mode="linear")
        )
        graph.node.extend(nodes)
        parts.append(f"{prefix}/drawn")
        start += tap.channels
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "map/channels"))
    graph.node.extend(
        [helper.make_node("Sum", parts, ["map/sum"]), helper.make_node("Sub", ["map/sum", offset], [MAP])]
    )


def _turned(network: onnx.ModelProto, backbone: Backbone, taps: Sequence[Tap]) -> onnx.GraphProto:
    """From one turn (3 x 2) to the features of the view it gives."""
    scales, values = _scales(network.graph, backbone.manifest.input, "turned/image", taps, "turned/")
    nodes = [
        helper.make_node("MatMul", ["views/pixels", "turned/turn"], ["turned/places"]),
        helper.make_node("Reshape", ["turned/places", "views/grid_shape"], ["turned/grid"]),
        helper.make_node(
            "GridSample",
            [IMAGE, "turned/grid"],
            ["turned/image"],
            mode="bilinear",
            padding_mode="zeros",
            align_corners=0,
        ),
        *scales,
    ]
    return helper.make_graph(
        nodes,
        "turned",
        [helper.make_tensor_value_info("turned/turn", TensorProto.FLOAT, [3, 2])],
        [helper.make_tensor_value_info("turned/vector", TensorProto.FLOAT, [values])],
    )


def _scales(
    network: onnx.GraphProto, network_input: str, image: str, taps: Sequence[Tap], prefix: str
) -> tuple[list[onnx.NodeProto], int]:
    """From an image to `prefix` + "vector", the means of its taps at all scales; the nodes, and how many means."""
    nodes: list[onnx.NodeProto] = []
    means = []
    for scale in SCALES:
        own = f"{prefix}scale{scale}/"
        side = [scale, scale]
        nodes.append(helper.make_node("AveragePool", [image], [own + network_input], kernel_shape=side, strides=side))
        copy = onnx.GraphProto()
        copy.CopyFrom(network)
        nodes += compose.add_prefix_graph(copy, own, rename_initializers=False).node
        for tap in taps:
            means.append(f"{own}mean/{tap.name}")
            nodes.append(helper.make_node("GlobalAveragePool", [own + tap.name], means[-1:]))
    nodes += [
        helper.make_node("Concat", means, [prefix + "means"], axis=1),
        helper.make_node("Reshape", [prefix + "means", "views/flat"], [prefix + "vector"]),
    ]
    return nodes, len(SCALES) * sum(tap.channels for tap in taps)


def _tap_names(taps: Sequence[Tap]) -> list[str]:
    """The taps of the first view, in the order of its vector."""
    return [f"scale{scale}/{tap.name}" for scale in SCALES for tap in taps]


def _constant(name: str, values: Array) -> onnx.TensorProto:
    return numpy_helper.from_array(values, f"views/{name}")


def _pixels(height: int, width: int) -> Floats:
    """The centre of each pixel, as (x, y, 1) in the units of GridSample: -1 to 1 from edge to edge (H W x 3)."""
    x = (2 * np.arange(width) + 1) / width - 1
    y = (2 * np.arange(height) + 1) / height - 1
    ys, xs = np.meshgrid(y, x, indexing="ij")
    return np.stack([xs.ravel(), ys.ravel(), np.ones(height * width)], axis=1).astype(np.float32)


def _turns(views: int, height: int, width: int) -> Floats:
    """The turns by V evenly spread angles, each a matrix from (x, y, 1) to (x, y); circles stay circles (V x 3 x 2)."""
    turns = []
    for angle in 2 * np.pi * np.arange(views) / views:
        cosine, sine = np.cos(angle), np.sin(angle)
        turns.append([[cosine, sine * width / height], [-sine * height / width, cosine], [0, 0]])
    return np.array(turns, np.float32)
