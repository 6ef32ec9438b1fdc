"""The looks at an image: which there are, and one graph from the sized image to the patches of each.

A look is one network at one size with its levels (PatchCore, section 4.2, "Ensembling", takes several networks). All
looks see one sized image, as large as the largest look; a smaller one averages it down by a whole factor inside the
graph. So an image is read and sized once, and looks that share network and size share their work.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import onnx
from onnx import compose, helper

from blemish.backbones.backbone import Backbone, Tap, load_backbone
from blemish.backbones.checked import INPUT
from blemish.errors import OptionError
from blemish.features.graph import OPSET, Grid, at_least, build_graph, choose_taps, output, rename
from blemish.options.looks import LookOption
from blemish.options.settings import Settings

__all__ = ["PlannedLook", "graph_of", "grid_names", "plan_looks"]


@dataclass(frozen=True)
class PlannedLook:
    """One look: a network, the taps whose patches it compares, and by how much the sized image is averaged down."""

    backbone: Backbone
    taps: Sequence[Tap]
    reduction: int = 1
    even: bool = False
    """Whether each image is brought to one brightness and contrast first."""

    @property
    def stride(self) -> int:
        """The sized image's height and width must be multiples of it."""
        return self.reduction * max(tap.stride for tap in self.taps)


def plan_looks(settings: Settings, backbone: Backbone) -> list[PlannedLook]:
    """The looks that settings name, or the one of its taps. Raises OptionError for a network or tap that is not there.

    `settings.looks` is empty for one look.
    """
    asked = [LookOption.parse(look) for look in settings.looks]
    if not asked:
        return [PlannedLook(backbone, choose_taps(backbone, settings.taps))]
    largest = max(look.side for look in asked)
    looks = []
    for look in asked:
        network = load_backbone(look.network) if look.network else backbone
        if network.manifest.size is not None:
            raise OptionError(f"The network {network.manifest.name} takes one size only; leave it out of looks.")
        looks.append(PlannedLook(network, choose_taps(network, look.taps), largest // look.side, look.even))
    return looks


def grid_names(looks: int) -> list[str]:
    """The names of the graph's grids, one a look."""
    return ["patches"] if looks == 1 else [f"patches{number}" for number in range(looks)]


def graph_of(looks: Sequence[PlannedLook], settings: Settings, pixels: str) -> bytes:
    """One graph that shows a sized image (height, width, 3; uint8 or uint16 by `pixels`) to all looks."""
    shared: dict[tuple[str, int, bool], dict[str, Grid]] = {}
    backbones = {}
    for name, look in zip(grid_names(len(looks)), looks, strict=True):
        key = look.backbone.manifest.sha256, look.reduction, look.even
        backbones[key] = look.backbone
        shared.setdefault(key, {})[name] = Grid(look.taps, settings.patch_size, settings.patch_stride, settings.merge)
    codes: Literal["uint8", "uint16"] = "uint16" if pixels == "uint16" else "uint8"
    graphs = [
        build_graph(backbones[key], grids, pixels=codes, reduction=key[1], even=key[2]) for key, grids in shared.items()
    ]
    return graphs[0] if len(graphs) == 1 else side_by_side(graphs)


def side_by_side(graphs: Sequence[bytes]) -> bytes:
    """One graph that shows its image to all of these, whose grids have different names; equal weights are kept once."""
    parts, weights = [], []
    kept: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    for number, graph in enumerate(graphs):
        model = at_least(OPSET, onnx.load_from_string(graph))
        grids = [grid.name for grid in model.graph.output]
        prefix = f"part{number}/"
        part = compose.add_prefix(model, prefix)
        for name in (INPUT, *grids):
            rename(part.graph, prefix + name, name)
        for values in part.graph.initializer:
            content = (values.data_type, tuple(values.dims), _digest(values))
            if content in kept:
                rename(part.graph, values.name, kept[content])
            else:
                kept[content] = values.name
                weights.append(values)
        parts.append(part)
    grids = [grid.name for part in parts for grid in part.graph.output]
    graph = helper.make_graph(
        [node for part in parts for node in part.graph.node],
        "blemish",
        [_input([part.graph.input[0] for part in parts])],
        [output(name, first=number == 0) for number, name in enumerate(grids)],
        weights,
    )
    versions = [part.ir_version for part in parts]
    joined = helper.make_model(graph, opset_imports=parts[0].opset_import, ir_version=max(versions))
    onnx.checker.check_model(joined)
    return bytes(joined.SerializeToString())


def _digest(values: onnx.TensorProto) -> bytes:
    unnamed = onnx.TensorProto()
    unnamed.CopyFrom(values)
    unnamed.name = ""
    return hashlib.sha256(unnamed.SerializeToString(deterministic=True)).digest()


def _input(inputs: Sequence[onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    """The image as the pickiest of the graphs takes it: some networks take one size only."""
    return max(inputs, key=lambda image: sum(axis.HasField("dim_value") for axis in image.type.tensor_type.shape.dim))
