"""Merge taps into patches: neighbourhood pooling, resizing to one grid, and joining, as ONNX nodes.

PatchCore, equations 1 to 3, and the adaptive pooling of the published code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from blemish.arrays import Array, Doubles
from blemish.backbones.backbone import Tap

__all__ = ["BATCH_AXIS", "PREFIX", "Grid", "MergeNodes", "constant", "merge_nodes"]

PREFIX = "blemish/"
"""Starts every name we add, so that none collides with the network's own."""

BATCH_AXIS = PREFIX + "batch_axis"
"""A constant of every graph: [0]."""

ADAPTIVE_DIMENSION = 1024
"""Both the pretraining and the target dimension of the published code."""


def constant(name: str, values: Array, prefix: str = PREFIX) -> onnx.TensorProto:
    """A constant tensor under our prefix."""
    return numpy_helper.from_array(values, prefix + name)


@dataclass(frozen=True)
class Grid:
    """One output of the graph: taps, brought to the grid of the first one and merged into one vector a patch.

    `merge="concat"` averages each neighbourhood (patch_size x patch_size, zero padding counted) and stacks the taps'
    channels; `merge="adaptive"` pools each tap's unfolded neighbourhoods, then their stack, to 1024 values;
    `merge="repeat"` stacks single cells, those of deeper taps repeated (PaDiM).
    """

    taps: Sequence[Tap]
    patch_size: int = 3
    patch_stride: int = 1
    merge: Literal["concat", "adaptive", "repeat"] = "concat"
    channels: Sequence[int] | None = None
    """For "repeat": of the stacked channels, keep these only, in rising order."""


@dataclass(frozen=True)
class MergeNodes:
    """The nodes that turn taps into one grid (h x w x d), with their constants."""

    nodes: list[onnx.NodeProto]
    constants: list[onnx.TensorProto]


def merge_nodes(grid: Grid, name: str) -> MergeNodes:
    """Pool each tap over patch_size x patch_size at every patch_stride; join them on the first tap's grid as `name`."""
    prefix = f"{PREFIX}{name}/"
    if grid.merge == "repeat":
        return _repeat(grid, prefix, name)
    pad = grid.patch_size // 2
    window = {"kernel_shape": [grid.patch_size] * 2, "strides": [grid.patch_stride] * 2, "pads": [pad] * 4}
    merged = _concat(grid, window, prefix) if grid.merge == "concat" else _adaptive(grid, window, prefix)
    return MergeNodes([*merged.nodes, *_laid_out(prefix + "merged", prefix, name)], merged.constants)


def _concat(grid: Grid, window: dict[str, list[int]], prefix: str) -> MergeNodes:
    """Mean of each neighbourhood (zero padding counted), the taps' channels one after the other."""
    nodes: list[onnx.NodeProto] = []
    for index, tap in enumerate(grid.taps):
        pooled = [f"{prefix}pooled{index}"]
        if grid.patch_size == grid.patch_stride == 1:
            nodes.append(helper.make_node("Identity", [tap.name], pooled))
        else:
            nodes.append(helper.make_node("AveragePool", [tap.name], pooled, count_include_pad=1, **window))
        nodes += _to_first_grid(index, prefix)
    joined = [f"{prefix}resized{index}" for index in range(len(grid.taps))]
    return MergeNodes([*nodes, helper.make_node("Concat", joined, [prefix + "merged"], axis=1)], [])


def _repeat(grid: Grid, prefix: str, name: str) -> MergeNodes:
    """Some channels of each tap, each cell repeated to cover its part of the first tap's grid.

    A tap is laid out at its own size first, so that repeating copies whole runs of memory.
    """
    nodes = [helper.make_node("Shape", [grid.taps[0].name], [prefix + "grid_shape"], start=2)]
    constants = [constant(str(number), np.array(number, np.int64), prefix) for number in (0, 1)]
    joined = []
    for index, (tap, channels) in enumerate(zip(grid.taps, _channels_by_tap(grid), strict=True)):
        if channels == []:
            continue
        chosen, cells = tap.name, f"{prefix}cells{index}"
        if channels is not None:
            chosen = f"{prefix}chosen{index}"
            constants.append(constant(f"channels{index}", np.array(channels, np.int64), prefix))
            nodes.append(helper.make_node("Gather", [tap.name, f"{prefix}channels{index}"], [chosen], axis=1))
        nodes += _laid_out(chosen, f"{prefix}{index}/", cells)
        if tap.stride > grid.taps[0].stride:
            nodes.append(helper.make_node("Shape", [cells], [f"{cells}/shape"]))
            for axis in (0, 1):
                nodes += _stretched(cells, f"{cells}/shape", axis, prefix)
            cells = f"{cells}/1"
        joined.append(cells)
    return MergeNodes([*nodes, helper.make_node("Concat", joined, [name], axis=2)], constants)


def _stretched(cells: str, shape: str, axis: int, prefix: str) -> list[onnx.NodeProto]:
    """Along one axis, after those before it: cell i of N on the first tap's grid is cell floor(i n / N) of n."""
    own, wanted, steps, products, index = (f"{cells}/{part}{axis}" for part in ("n", "N", "i", "i n", "index"))
    number, before = f"{prefix}{axis}", cells if axis == 0 else f"{cells}/{axis - 1}"
    return [
        helper.make_node("Gather", [shape, number], [own]),
        helper.make_node("Gather", [prefix + "grid_shape", number], [wanted]),
        helper.make_node("Range", [prefix + "0", wanted, prefix + "1"], [steps]),
        helper.make_node("Mul", [steps, own], [products]),
        helper.make_node("Div", [products, wanted], [index]),
        helper.make_node("Gather", [before, index], [f"{cells}/{axis}"], axis=axis),
    ]


def _laid_out(planes: str, prefix: str, name: str) -> list[onnx.NodeProto]:
    """From 1 x d x h x w to h x w x d."""
    return [
        helper.make_node("Squeeze", [planes, BATCH_AXIS], [prefix + "grid"]),
        helper.make_node("Transpose", [prefix + "grid"], [name], perm=[1, 2, 0]),
    ]


def _channels_by_tap(grid: Grid) -> list[list[int] | None]:
    """Which channels of each tap are kept; None for all of them."""
    if grid.channels is None:
        return [None] * len(grid.taps)
    ends = np.cumsum([tap.channels for tap in grid.taps])
    starts = [0, *ends[:-1]]
    return [
        [channel - int(start) for channel in grid.channels if start <= channel < end]
        for start, end in zip(starts, ends, strict=True)
    ]


def _adaptive(grid: Grid, window: dict[str, list[int]], prefix: str) -> MergeNodes:
    """Both adaptive poolings are linear and so is the resize between them: one convolution per tap is all."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    for index, (tap, kernel) in enumerate(zip(grid.taps, _adaptive_kernels(grid), strict=True)):
        used = np.flatnonzero(kernel.any(axis=(1, 2, 3)))
        first, last = int(used[0]), int(used[-1]) + 1
        weights, groups = _grouped(kernel[first:last])
        constants += [
            constant(f"weights{index}", weights.astype(np.float32), prefix),
            constant(f"rows{index}", np.array([0, first, 0, 0, 0, len(kernel) - last, 0, 0], np.int64), prefix),
        ]
        inputs, pooled = [tap.name, f"{prefix}weights{index}"], [f"{prefix}pooled{index}"]
        resized, padded = [f"{prefix}resized{index}", f"{prefix}rows{index}"], [f"{prefix}padded{index}"]
        nodes += [
            helper.make_node("Conv", inputs, pooled, group=groups, **window),
            *_to_first_grid(index, prefix),
            helper.make_node("Pad", resized, padded),
        ]
    padded_all = [f"{prefix}padded{index}" for index in range(len(grid.taps))]
    return MergeNodes([*nodes, helper.make_node("Sum", padded_all, [prefix + "merged"])], constants)


def _to_first_grid(index: int, prefix: str) -> list[onnx.NodeProto]:
    """Resize tap `index` to the grid of the first one, bilinearly with half-pixel centres."""
    pooled, resized, name = f"{prefix}pooled{index}", f"{prefix}resized{index}", f"{prefix}shape{index}"
    if index == 0:
        return [
            helper.make_node("Identity", [pooled], [resized]),
            helper.make_node("Shape", [pooled], [prefix + "grid_shape"], start=2),
        ]
    return [
        helper.make_node("Shape", [pooled], [name], start=0, end=2),
        helper.make_node("Concat", [name, prefix + "grid_shape"], [name + "/wanted"], axis=0),
        helper.make_node(
            "Resize",
            [pooled, "", "", name + "/wanted"],
            [resized],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        ),
    ]


def _adaptive_kernels(grid: Grid) -> list[Doubles]:
    """One kernel per tap (1024 x channels x patch_size x patch_size) whose answers add up to the merged patches."""
    dimension, taps, patch_size = ADAPTIVE_DIMENSION, grid.taps, grid.patch_size
    target = _adaptive_average(len(taps) * dimension, dimension)
    kernels = []
    for index, tap in enumerate(taps):
        pretrain = _adaptive_average(tap.channels * patch_size**2, dimension)
        kernel = target[:, index * dimension : (index + 1) * dimension] @ pretrain
        kernels.append(kernel.reshape(dimension, tap.channels, patch_size, patch_size))
    return kernels


def _adaptive_average(length: int, bins: int) -> Doubles:
    """Adaptive average pooling as a matrix: bin k is the mean of floor(k L / B) up to ceil((k + 1) L / B)."""
    matrix = np.zeros((bins, length))
    for k in range(bins):
        start, end = k * length // bins, -(-(k + 1) * length // bins)
        matrix[k, start:end] = 1 / (end - start)
    return matrix


def _grouped(weights: Doubles) -> tuple[Doubles, int]:
    """The same convolution with as many groups as its zeros allow: (weights of one group's channels, groups)."""
    rows, channels = weights.shape[:2]
    most = gcd(rows, channels)
    for groups in sorted((g for g in range(1, most + 1) if most % g == 0), reverse=True):
        blocks = weights.reshape(groups, rows // groups, groups, channels // groups, *weights.shape[2:])
        own = np.stack([blocks[g, :, g] for g in range(groups)])
        if np.count_nonzero(own) == np.count_nonzero(weights):
            return own.reshape(rows, channels // groups, *weights.shape[2:]), groups
    raise AssertionError("one group always fits")
