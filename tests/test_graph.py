"""The patch graph against an obvious NumPy version in float64."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from blemish.arrays import Array, Bytes, Doubles, Floats
from blemish.backbones.backbone import Backbone, Manifest, Tap
from blemish.errors import OptionError
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import Extractor

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
TAPS = [
    Tap(name="first", channels=4, stride=2, level=0),
    Tap(name="second", channels=6, stride=4, level=1),
    Tap(name="third", channels=10, stride=8, level=2),
]


def weights() -> dict[str, Floats]:
    """Three 3 x 3 convolutions of stride 2, of 4, 6 and 10 channels."""
    random = np.random.default_rng(0)
    shapes = {"w0": (4, 3, 3, 3), "w1": (6, 4, 3, 3), "w2": (10, 6, 3, 3)}
    return {name: (random.standard_normal(shape) / 5).astype(np.float32) for name, shape in shapes.items()}


def small_backbone(
    *, name: str = "pixels", opset: int = 18, ir_version: int = 10, size: tuple[int, int] | None = None
) -> Backbone:
    """Three convolutions with taps after each, and a head that no tap needs; `name` is that of the input."""
    window: dict[str, list[int]] = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", [name, "w0"], ["first"], **window),
        helper.make_node("Relu", ["first"], ["patches"]),  # a name that our own output bears, too
        helper.make_node("Conv", ["patches", "w1"], ["second"], **window),
        helper.make_node("Conv", ["second", "w2"], ["third"], **window),
        helper.make_node("GlobalAveragePool", ["third"], ["logits"]),
    ]
    constants = [numpy_helper.from_array(value, key) for key, value in weights().items()]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, *(size or ("h", "w"))])]
    if ir_version < 4:  # such files list their weights among the inputs
        inputs += [helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims) for tensor in constants]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10, 1, 1])]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    manifest = Manifest(
        name="small",
        input=name,
        mean=MEAN,
        std=STD,
        taps=tuple(TAPS),
        default_taps=("first", "second"),
        size=size,
        source="",
        licence="",
        sha256="",
    )
    return Backbone(manifest, model.SerializeToString())


def convolve(values: Doubles, kernel: Array, stride: int) -> Doubles:
    """A 3 x 3 convolution of C x H x W with one pixel of zero padding."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
    return np.tensordot(kernel.astype(np.float64), windows, axes=([1, 2, 3], [0, 3, 4]))


def reference_taps(image: Array) -> dict[str, Doubles]:
    units = image.astype(np.float64) / (255 if image.dtype == np.uint8 else 65535)
    values = ((units - MEAN) / STD).transpose(2, 0, 1)
    kernels = weights()
    first = convolve(values, kernels["w0"], 2)
    second = convolve(np.maximum(first, 0), kernels["w1"], 2)
    return {"first": first, "second": second, "third": convolve(second, kernels["w2"], 2)}


def unfold(values: Doubles, size: int, stride: int) -> Doubles:
    """The neighbourhoods of C x h x w, zeros around it, as h' x w' x C x size x size."""
    pad = size // 2
    padded = np.pad(values, ((0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return windows.transpose(1, 2, 0, 3, 4)


def bilinear(values: Doubles, height: int, width: int) -> Doubles:
    """Resize the first two axes, point by point, pixels having their centres at halves."""
    h, w = values.shape[:2]
    result = np.empty((height, width, *values.shape[2:]))
    for row in range(height):
        y = min(max((row + 0.5) * h / height - 0.5, 0), h - 1)
        for column in range(width):
            x = min(max((column + 0.5) * w / width - 0.5, 0), w - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, h - 1), min(left + 1, w - 1)
            upper = values[top, left] * (1 - (x - left)) + values[top, right] * (x - left)
            lower = values[bottom, left] * (1 - (x - left)) + values[bottom, right] * (x - left)
            result[row, column] = upper * (1 - (y - top)) + lower * (y - top)
    return result


def adaptive_average(values: Doubles, bins: int) -> Doubles:
    """Adaptive average pooling of the last axis, bin by bin."""
    length = values.shape[-1]
    parts = [
        values[..., int(np.floor(k * length / bins)) : int(np.ceil((k + 1) * length / bins))].mean(axis=-1)
        for k in range(bins)
    ]
    return np.stack(parts, axis=-1)


def reference_concat(image: Array, taps: list[Tap], size: int, stride: int) -> Doubles:
    means = [unfold(reference_taps(image)[tap.name], size, stride).mean(axis=(3, 4)) for tap in taps]
    return np.concatenate([bilinear(mean, *means[0].shape[:2]) for mean in means], axis=2)


def reference_adaptive(image: Array, taps: list[Tap], size: int) -> Doubles:
    """What the published code does, step by step: every element of every neighbourhood is resized by itself."""
    levels = [unfold(reference_taps(image)[tap.name], size, 1) for tap in taps]
    grid = levels[0].shape[:2]
    resized = [bilinear(level, *grid).reshape(*grid, -1) for level in levels]
    stacked = np.stack([adaptive_average(level, 1024) for level in resized], axis=2)
    return adaptive_average(stacked.reshape(*grid, -1), 1024)


def pixels(height: int, width: int) -> Bytes:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def patches(image: Array, taps: list[Tap], **options: Any) -> Floats:
    pixels = options.pop("pixels", "uint8")
    graph = build_graph(small_backbone(), {"patches": Grid(taps, **options)}, pixels=pixels)
    return Extractor(graph, image.shape[0], image.shape[1])(image)["patches"]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize(("height", "width"), [(32, 48), (33, 21)])
def test_concat_equals_the_reference(height: int, width: int, size: int, stride: int) -> None:
    image = pixels(height, width)
    ours = patches(image, TAPS[:2], patch_size=size, patch_stride=stride)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, reference_concat(image, TAPS[:2], size, stride), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [None, [0, 3, 4, 9], [1], [5, 9]])
@pytest.mark.parametrize(("height", "width"), [(32, 48), (33, 21), (35, 38)])
def test_nearest_repeats_deeper_cells_and_channels_are_picked(
    height: int, width: int, channels: list[int] | None
) -> None:
    """As torch's unfold and fold do; a tap of which nothing is kept still sets the grid, whatever its size."""
    image = pixels(height, width)
    first, second = (reference_taps(image)[tap.name].transpose(1, 2, 0) for tap in TAPS[:2])
    rows, columns = (
        np.arange(cells) * own // cells for cells, own in zip(first.shape[:2], second.shape[:2], strict=True)
    )
    stacked = np.concatenate([first, second[rows][:, columns]], axis=2)
    ours = patches(image, TAPS[:2], merge="repeat", channels=channels)
    expected = stacked if channels is None else stacked[:, :, channels]
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_several_grids_come_from_one_network() -> None:
    image = pixels(32, 48)
    grids = {"fine": Grid(TAPS[:1], patch_size=1), "image": Grid(TAPS[:2]), "deep": Grid(TAPS[1:2], patch_size=1)}
    with pytest.raises(AssertionError, match="image"):
        build_graph(small_backbone(), grids)
    grids["both"] = grids.pop("image")
    answers = Extractor(build_graph(small_backbone(), grids), 32, 48)(image)
    assert [*answers] == [*grids]
    for name, grid in grids.items():
        np.testing.assert_array_equal(answers[name], patches(image, [*grid.taps], patch_size=grid.patch_size))


def test_zero_padding_counts_in_the_mean() -> None:
    image = np.full((32, 32, 3), 255, np.uint8)
    taps = TAPS[:1]
    one, three = (patches(image, taps, patch_size=size) for size in (1, 3))
    np.testing.assert_allclose(three[0, 5], one[0:2, 4:7].sum(axis=(0, 1)) / 9, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("taps", [TAPS[1:2], TAPS[1:], TAPS])
def test_adaptive_equals_the_published_steps(taps: list[Tap], size: int) -> None:
    image = pixels(24, 37)
    ours = patches(image, taps, patch_size=size, merge="adaptive")
    assert ours.shape[2] == 1024
    np.testing.assert_allclose(ours, reference_adaptive(image, taps, size), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("merge", ["concat", "adaptive"])
def test_both_pixel_types_agree(merge: Any) -> None:
    image = pixels(32, 48)
    wide = patches(image.astype(np.uint16) * 257, TAPS[:2], merge=merge, pixels="uint16")
    np.testing.assert_allclose(wide, patches(image, TAPS[:2], merge=merge), rtol=1e-4, atol=1e-5)


def test_height_and_width_are_not_swapped() -> None:
    assert patches(pixels(32, 64), TAPS[1:]).shape == (8, 16, 16)
    dark = np.zeros((32, 64, 3), np.uint8)
    spot = dark.copy()
    spot[24:28, 8:12] = 255  # row 6, column 2 of the grid of stride 4
    difference = np.abs(patches(spot, TAPS[1:2], patch_size=1) - patches(dark, TAPS[1:2], patch_size=1)).sum(axis=2)
    row, column = np.unravel_index(difference.argmax(), difference.shape)
    assert abs(int(row) - 6) <= 1
    assert abs(int(column) - 2) <= 1


def test_layers_that_no_tap_needs_are_cut() -> None:
    model = onnx.load_model_from_string(build_graph(small_backbone(), {"patches": Grid(TAPS[:2])}))
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("Conv") == 2
    assert "GlobalAveragePool" not in operators
    assert "w2" not in {tensor.name for tensor in model.graph.initializer}


@pytest.mark.parametrize("name", ["image", "patches/x", "h"])
def test_the_networks_names_never_collide_with_ours(name: str) -> None:
    image = pixels(32, 48)
    ours = Extractor(build_graph(small_backbone(name=name), {"patches": Grid(TAPS[:2])}), 32, 48)(image)["patches"]
    np.testing.assert_array_equal(ours, patches(image, TAPS[:2]))


@pytest.mark.parametrize(("opset", "ir_version"), [(9, 4), (9, 3), (7, 3), (13, 7), (21, 10)])
def test_networks_of_other_operator_sets_agree(opset: int, ir_version: int) -> None:
    image = pixels(32, 48)
    graph = build_graph(small_backbone(opset=opset, ir_version=ir_version), {"patches": Grid(TAPS[:2])})
    ours = Extractor(graph, 32, 48)(image)["patches"]
    np.testing.assert_allclose(ours, patches(image, TAPS[:2]), rtol=1e-6, atol=1e-6)


def test_a_fixed_size_stays_fixed() -> None:
    graph = build_graph(small_backbone(size=(32, 48)), {"patches": Grid(TAPS[:2])})
    sides = onnx.load_model_from_string(graph).graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_value for side in sides] == [32, 48, 3]
    ours = Extractor(graph, 32, 48)(pixels(32, 48))["patches"]
    np.testing.assert_array_equal(ours, patches(pixels(32, 48), TAPS[:2]))


def test_taps_are_chosen_by_name_or_level_shallowest_first() -> None:
    backbone = small_backbone()
    for wanted in (["second", "first"], [1, 0], ["1", "first"], []):
        assert [tap.name for tap in choose_taps(backbone, wanted)] == ["first", "second"]
    with pytest.raises(OptionError, match=r"no tap layer4, 7; it offers first \(level 0, stride 2\), second"):
        choose_taps(backbone, ["first", "layer4", 7])
