import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from blemish.backbones import network
from blemish.backbones.backbone import (
    BUILT_IN,
    Manifest,
    Tap,
    backbone_folder,
    import_backbone,
    list_backbones,
    load_backbone,
)
from blemish.errors import BackboneError

GREY = (0.5, 0.5, 0.5)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user folder of the test's own."""
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def small_network(*, size: tuple[int, int] | None = None, domain: str = "") -> onnx.ModelProto:
    """Convolution "first" (stride 2, 4 channels), ReLU, convolution "second" (stride 4, 8 channels), mean "logits"."""
    random = np.random.default_rng(0)
    weights = {"w1": random.standard_normal((4, 3, 3, 3)), "w2": random.standard_normal((8, 4, 3, 3))}
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["first"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["first"], ["active"], domain=domain),
        helper.make_node("Conv", ["active", "w2"], ["second"], kernel_shape=[3, 3], strides=[4, 4], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["second"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, *(size or ("h", "w"))])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 8, 1, 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def take_in(path: Path, model: onnx.ModelProto, **changes: Any) -> Manifest:
    path.write_bytes(model.SerializeToString())
    arguments: dict[str, Any] = {
        "name": "mine",
        "taps": ["first", "second"],
        "mean": GREY,
        "std": GREY,
        "licence": "MIT",
    }
    return import_backbone(path, **(arguments | changes))


BUILT_IN_CHANNELS = {"efficientnet_lite0": (16, 24, 40, 112, 320), "efficientnet_lite2": (16, 24, 48, 120, 352)}


@pytest.mark.parametrize("name", BUILT_IN_CHANNELS)
def test_a_built_in_backbone_is_whole(name: str) -> None:
    backbone = load_backbone(name)
    manifest = backbone.manifest
    assert hashlib.sha256(backbone.onnx).hexdigest() == manifest.sha256
    wanted = [(channels, 2 << level, level) for level, channels in enumerate(BUILT_IN_CHANNELS[name])]
    assert [(tap.channels, tap.stride, tap.level) for tap in manifest.taps] == wanted
    assert manifest.default_taps == ("level2", "level3")
    assert manifest.size is None
    assert manifest.licence == "Apache-2.0"
    # Training used (RGB - 127) / 128.
    np.testing.assert_allclose((np.array([127, 255]) / 255 - manifest.mean[0]) / manifest.std[0], [0, 1])


@pytest.mark.parametrize(("name", "widening"), [("efficientnet_lite0", set()), ("efficientnet_lite2", {"Cast"})])
def test_a_built_in_network_is_convolutions_alone(name: str, widening: set[str]) -> None:
    model = network.open_network(load_backbone(name).onnx)
    assert {node.op_type for node in model.graph.node} == {"Conv", "Clip", "Add"} | widening
    assert network.image_input(model) == ("input", None)
    sides = model.graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_param or side.dim_value for side in sides] == [1, 3, "height", "width"]


@pytest.mark.parametrize("name", BUILT_IN_CHANNELS)
def test_a_built_in_backbone_has_its_notice(name: str) -> None:
    notice = (BUILT_IN / f"{name}.NOTICE").read_text(encoding="utf-8")
    assert "Apache License, Version 2.0" in notice
    assert load_backbone(name).manifest.source.split(" of ")[0].split()[-1] in notice


@pytest.mark.parametrize("size", [(224, 224), (320, 256), (96, 640), (225, 333), (33, 1)])
def test_grids_are_the_size_over_the_stride_rounded_up(size: tuple[int, int]) -> None:
    backbone = load_backbone("efficientnet_lite0")
    taps = backbone.manifest.taps
    outputs = network.run_taps(backbone.onnx, [tap.name for tap in taps], np.zeros((1, 3, *size), np.float32))
    for tap, output in zip(taps, outputs, strict=True):
        assert output.shape == (1, tap.channels, -(-size[0] // tap.stride), -(-size[1] // tap.stride))


def test_import_measures_taps_and_keeps_values(tmp_path: Path, home: Path) -> None:
    model = small_network()
    manifest = take_in(tmp_path / "net.onnx", model)
    assert manifest.taps == (
        Tap(name="first", channels=4, stride=2, level=0),
        Tap(name="second", channels=8, stride=8, level=2),
    )
    assert manifest.default_taps == ("second",)
    assert sorted(path.name for path in (home / "backbones").iterdir()) == ["mine.json", "mine.onnx"]

    backbone = load_backbone("mine")
    assert backbone.manifest == manifest
    assert "GlobalAveragePool" not in {node.op_type for node in onnx.load_from_string(backbone.onnx).graph.node}
    image_1CHW = np.random.default_rng(1).standard_normal((1, 3, 50, 70), dtype=np.float32)
    model.graph.output.extend([helper.make_tensor_value_info("second", TensorProto.FLOAT, ["n", 8, "h8", "w8"])])
    (before,) = network.run_taps(model.SerializeToString(), ["second"], image_1CHW)
    (after,) = network.run_taps(backbone.onnx, ["second"], image_1CHW)
    np.testing.assert_array_equal(before, after)


def test_import_of_a_fixed_size(tmp_path: Path) -> None:
    manifest = take_in(tmp_path / "net.onnx", small_network(size=(64, 96)))
    assert manifest.size == (64, 96)
    assert [tap.stride for tap in manifest.taps] == [2, 8]
    with pytest.raises(BackboneError, match="no even stride"):
        take_in(tmp_path / "net.onnx", small_network(size=(60, 96)))


def test_external_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save_model(small_network(), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(BackboneError, match="external data"):
        import_backbone(path, name="mine", taps=["first"], mean=GREY, std=GREY, licence="MIT")
    assert not list(backbone_folder().glob("*"))


def test_external_data_in_a_constant_is_refused() -> None:
    model = small_network()
    hidden = TensorProto(name="hidden", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    hidden.external_data.add(key="location", value="../secret")
    model.graph.node.append(helper.make_node("Constant", [], ["hidden"], value=hidden))
    with pytest.raises(BackboneError, match="external data"):
        network.open_network(model.SerializeToString())


def test_custom_operators_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"Relu of the domain 'com\.example'"):
        take_in(tmp_path / "net.onnx", small_network(domain="com.example"))


def test_branches_are_refused() -> None:
    model = small_network()
    inner = helper.make_graph([], "inner", [], [helper.make_tensor_value_info("seen", TensorProto.FLOAT, None)])
    model.graph.node.append(helper.make_node("If", ["always"], ["out"], then_branch=inner, else_branch=inner))
    with pytest.raises(BackboneError, match="operator If, which is not among those"):
        network.open_network(model.SerializeToString())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"taps": ["third"]}, "no tensor named 'third'; its outputs are logits"),
        ({"taps": ["logits"]}, "no even stride"),
        ({"taps": []}, "No taps"),
        ({"name": "efficientnet_lite0"}, "built-in"),
        ({"name": "../mine"}, "name"),
        ({"std": (0.5, 0.0, 0.5)}, "std"),
    ],
)
def test_import_says_what_is_wrong(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        take_in(tmp_path / "net.onnx", small_network(), **changes)
    assert not list(backbone_folder().glob("*"))


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x89PNG, not a network")
    for path in (tmp_path / "net.onnx", tmp_path / "none.onnx"):
        with pytest.raises(BackboneError):
            import_backbone(path, name="mine", taps=["first"], mean=GREY, std=GREY, licence="MIT")


def test_a_tap_that_is_no_feature_map_is_refused(tmp_path: Path) -> None:
    model = small_network()
    model.graph.node.append(helper.make_node("Flatten", ["logits"], ["flat"]))
    with pytest.raises(BackboneError, match="flat"):
        take_in(tmp_path / "net.onnx", model, taps=["flat"])


def test_a_second_input_is_refused(tmp_path: Path) -> None:
    model = small_network()
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    with pytest.raises(BackboneError, match="2 inputs"):
        take_in(tmp_path / "net.onnx", model)


def test_a_missing_backbone_is_named_with_the_remedy(tmp_path: Path) -> None:
    take_in(tmp_path / "net.onnx", small_network())
    with pytest.raises(BackboneError) as caught:
        load_backbone("resnet18")
    listed = "efficientnet_lite0, efficientnet_lite2, mine"
    for words in ("'resnet18'", listed, "blemish backbone export resnet18", "blemish[torch]"):
        assert words in str(caught.value)


def test_a_path_loads_too(tmp_path: Path) -> None:
    manifest = take_in(tmp_path / "net.onnx", small_network(), folder=tmp_path / "部品 1")
    assert load_backbone(str(tmp_path / "部品 1" / "mine.onnx")).manifest == manifest
    with pytest.raises(BackboneError, match="no manifest"):
        load_backbone(str(tmp_path / "net.onnx"))


def test_a_damaged_network_is_refused(tmp_path: Path, home: Path) -> None:
    take_in(tmp_path / "net.onnx", small_network())
    path = home / "backbones" / "mine.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackboneError, match="sha256"):
        load_backbone("mine")
    path.unlink()
    with pytest.raises(BackboneError, match=r"mine\.onnx cannot be read"):
        load_backbone("mine")


@pytest.mark.parametrize(
    ("field", "value"), [("taps", []), ("default_taps", ["third"]), ("mean", [0.5]), ("colour", "blue")]
)
def test_a_wrong_manifest_names_the_field(tmp_path: Path, home: Path, field: str, value: object) -> None:
    take_in(tmp_path / "net.onnx", small_network())
    path = home / "backbones" / "mine.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(BackboneError, match=rf"mine\.json is not valid.*{field}"):
        load_backbone("mine")


def test_the_list_holds_built_in_and_own(tmp_path: Path) -> None:
    assert [manifest.name for manifest in list_backbones()] == list(BUILT_IN_CHANNELS)
    manifest = take_in(tmp_path / "net.onnx", small_network())
    assert list_backbones()[2:] == [manifest]


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert backbone_folder() == tmp_path / "home" / "backbones"
    monkeypatch.delenv("BLEMISH_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert backbone_folder() == tmp_path / "blemish" / "backbones"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    assert backbone_folder() == tmp_path / "Local" / "blemish" / "backbones"
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert backbone_folder() == tmp_path / "Library" / "Application Support" / "blemish" / "backbones"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BackboneError, match="cannot be written"):
        take_in(tmp_path / "net.onnx", small_network(), folder=tmp_path / "file" / "backbones")
