"""ResNet-18 up to its third stage as a backbone, built by hand from the shared weights: no torch needed."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from blemish.arrays import Floats
from blemish.backbones.backbone import Backbone, Manifest, Tap

TAPS = [
    Tap(name="layer1", channels=64, stride=4, level=1),
    Tap(name="layer2", channels=128, stride=8, level=2),
    Tap(name="layer3", channels=256, stride=16, level=3),
]


def resnet18(weights: Path) -> Backbone:
    """The backbone of resnet18_stem_to_layer3.safetensors, whose folded batch norms are biases alone."""
    network = _Network(load_file(weights))
    network.convolution("input", "stem", "conv1", "bn1", stride=2, pad=3)
    network.node("Relu", ["stem"], "stem/relu")
    network.node("MaxPool", ["stem/relu"], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    last = "pool"
    for level in (1, 2, 3):
        middle = network.block(last, f"layer{level}/0", f"layer{level}.0", stride=1 if level == 1 else 2)
        last = network.block(middle, f"layer{level}", f"layer{level}.1", stride=1)
    content = network.serialise()
    manifest = Manifest(
        name="resnet18",
        input="input",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        taps=tuple(TAPS),
        default_taps=("layer2", "layer3"),
        size=None,
        source="torchvision ResNet18_Weights.IMAGENET1K_V1",
        licence="BSD-3-Clause",
        sha256=hashlib.sha256(content).hexdigest(),
    )
    return Backbone(manifest, content)


class _Network:
    """Nodes and constants, gathered one layer after the other."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, operator: str, inputs: list[str], output: str, **attributes: list[int]) -> None:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))

    def convolution(self, source: str, output: str, convolution: str, norm: str, *, stride: int, pad: int) -> None:
        weight, bias = self.weights[f"{convolution}.weight"], self.weights[f"{norm}.bias"]
        np.testing.assert_array_equal(self.weights[f"{norm}.weight"], 1)
        self.constants += [
            numpy_helper.from_array(weight, f"{convolution}.weight"),
            numpy_helper.from_array(bias, f"{convolution}.bias"),
        ]
        inputs = [source, f"{convolution}.weight", f"{convolution}.bias"]
        size = list(weight.shape[2:])
        self.node("Conv", inputs, output, kernel_shape=size, strides=[stride] * 2, pads=[pad] * 4)

    def block(self, source: str, output: str, name: str, *, stride: int) -> str:
        """Two 3 x 3 convolutions beside a shortcut, which is a 1 x 1 convolution where the stride is 2."""
        shortcut = source
        if stride != 1:
            shortcut = f"{output}/shortcut"
            self.convolution(source, shortcut, f"{name}.downsample.0", f"{name}.downsample.1", stride=stride, pad=0)
        self.convolution(source, f"{output}/first", f"{name}.conv1", f"{name}.bn1", stride=stride, pad=1)
        self.node("Relu", [f"{output}/first"], f"{output}/relu")
        self.convolution(f"{output}/relu", f"{output}/second", f"{name}.conv2", f"{name}.bn2", stride=1, pad=1)
        self.node("Add", [f"{output}/second", shortcut], f"{output}/sum")
        self.node("Relu", [f"{output}/sum"], output)
        return output

    def serialise(self) -> bytes:
        image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])
        taps = [
            helper.make_tensor_value_info(tap.name, TensorProto.FLOAT, [1, tap.channels, None, None]) for tap in TAPS
        ]
        graph = helper.make_graph(self.nodes, "resnet18", [image], taps, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
