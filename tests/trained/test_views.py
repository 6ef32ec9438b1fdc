"""DifferNet's features against torch's own turning, halving and averaging."""

import numpy as np
import onnx
import onnxruntime
import pytest

from blemish.arrays import Floats
from blemish.backbones.backbone import load_backbone
from blemish.backbones.network import run_taps
from blemish.features.graph import choose_taps
from blemish.methods.trained.views import IMAGE, MAP, VIEWS, draw_map, view_features

torch = pytest.importorskip("torch", reason="needs the [torch] extra")
pytestmark = pytest.mark.torch


def reference(image_1CHW: Floats, views: int, taps: list[str]) -> Floats:
    """The same by torch, one view and one scale at a time."""
    image = torch.from_numpy(image_1CHW)
    height, width = image.shape[2:]
    backbone = load_backbone("efficientnet_lite0")
    rows = []
    for angle in 2 * np.pi * np.arange(views) / views:
        turn = [
            [np.cos(angle), -np.sin(angle) * height / width, 0],
            [np.sin(angle) * width / height, np.cos(angle), 0],
        ]
        grid = torch.nn.functional.affine_grid(torch.tensor([turn]).float(), list(image.shape), align_corners=False)
        view = torch.nn.functional.grid_sample(image, grid, align_corners=False)
        means = []
        for scale in (1, 2, 4):
            scaled = torch.nn.functional.avg_pool2d(view, scale)
            means += [tap.mean(axis=(0, 2, 3)) for tap in run_taps(backbone.onnx, taps, scaled.numpy())]
        rows.append(np.concatenate(means))
    return np.stack(rows)


@pytest.mark.parametrize(("height", "width", "levels"), [(64, 64, [2, 3]), (64, 96, [1])])
def test_views_are_turned_halved_and_averaged(height: int, width: int, levels: list[str | int]) -> None:
    backbone = load_backbone("efficientnet_lite0")
    taps = choose_taps(backbone, levels)
    image = np.random.default_rng(0).standard_normal((1, 3, height, width), dtype=np.float32)
    graph = view_features(backbone, taps, height, width, 3)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    ours = session.run([VIEWS], {IMAGE: image})[0].reshape(3, -1)
    wanted = reference(image, 3, [tap.name for tap in taps])
    np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-4 * float(np.abs(wanted).max()))


def test_a_quarter_turn_is_exact() -> None:
    backbone = load_backbone("efficientnet_lite0")
    taps = choose_taps(backbone, [2])
    image = np.random.default_rng(1).standard_normal((1, 3, 64, 64), dtype=np.float32)
    graph = view_features(backbone, taps, 64, 64, 4).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    views = session.run([VIEWS], {IMAGE: image})[0].reshape(4, -1)
    turned = session.run([VIEWS], {IMAGE: np.ascontiguousarray(np.rot90(image, axes=(2, 3)))})[0].reshape(4, -1)
    assert any(np.allclose(turned[0], views[quarter], rtol=1e-3, atol=1e-3) for quarter in (1, 3))
    np.testing.assert_allclose(np.sort(turned.sum(axis=1)), np.sort(views.sum(axis=1)), rtol=1e-3)


def test_the_map_is_what_each_position_adds() -> None:
    random = np.random.default_rng(2)
    backbone = load_backbone("efficientnet_lite0")
    taps = choose_taps(backbone, [2, 3])
    image = random.standard_normal((1, 3, 64, 96), dtype=np.float32)
    model = view_features(backbone, taps, 64, 96, 2)
    gradient = random.standard_normal((1, 3 * sum(tap.channels for tap in taps), 1, 1), dtype=np.float32)
    given = {"gradient": gradient, "offset": np.full((1, 1, 1, 1), 2.5, np.float32)}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in given.items())
    draw_map(model.graph, taps, "gradient", "offset")
    model.graph.output.append(onnx.helper.make_tensor_value_info(MAP, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ours, views = session.run([MAP, VIEWS], {IMAGE: image})

    wanted, start, added = -2.5, 0, 0.0
    for scale in (1, 2, 4):
        scaled = torch.nn.functional.avg_pool2d(torch.from_numpy(image), scale).numpy()
        for tap in run_taps(backbone.onnx, [tap.name for tap in taps], scaled):
            own = gradient[:, start : start + tap.shape[1]]
            weighed = torch.from_numpy((tap * own).sum(axis=1, keepdims=True))
            wanted = wanted + torch.nn.functional.interpolate(weighed, (8, 12), mode="bilinear").numpy()
            added += float(weighed.mean())
            start += tap.shape[1]
    np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-3 * float(np.abs(wanted).max()))
    np.testing.assert_allclose(added, (gradient[0, :, 0, 0] * views[0, :start, 0, 0]).sum(), rtol=1e-3)
