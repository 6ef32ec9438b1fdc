"""The same image gives the same bits, however it is run."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from blemish.backbones.backbone import load_backbone
from blemish.errors import ProviderError
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import Extractor, available_providers


@pytest.fixture(scope="module")
def graph() -> bytes:
    backbone = load_backbone("efficientnet_lite0")
    return build_graph(backbone, {"patches": Grid(choose_taps(backbone, []))})


def test_threads_and_company_change_no_bit(graph: bytes) -> None:
    """Peers give an image another score alone than in a batch."""
    images = np.random.default_rng(0).integers(0, 256, (8, 96, 160, 3), np.uint8)
    alone = Extractor(graph, 96, 160)
    expected = [alone(image)["patches"] for image in images]
    shared = Extractor(graph, 96, 160, threads=2)
    for image, patches in zip(images, expected, strict=True):
        np.testing.assert_array_equal(shared(image)["patches"], patches)
    for extractor in (alone, shared):
        with ThreadPoolExecutor(4) as pool:
            for ours, patches in zip(pool.map(extractor, images), expected, strict=True):
                np.testing.assert_array_equal(ours["patches"], patches)


def test_the_grid_follows_height_and_width(graph: bytes) -> None:
    patches = Extractor(graph, 64, 160)(np.zeros((64, 160, 3), np.uint8))["patches"]
    assert patches.shape == (8, 20, 152)
    assert patches.dtype == np.float32


def test_a_provider_that_is_not_here_is_an_error(graph: bytes) -> None:
    assert "cpu" in available_providers()
    absent = "tensorrt" if "tensorrt" not in available_providers() else "coreml"
    with pytest.raises(ProviderError, match=f'Provider "{absent}" is not available here; .* offers .*cpu'):
        Extractor(graph, 64, 64, provider=absent)
    with pytest.raises(ProviderError, match='Provider "gpu" is not available'):
        Extractor(graph, 64, 64, provider="gpu")


def test_a_provider_that_does_not_start_is_an_error(graph: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime falls back to the CPU in silence where a GPU provider cannot be loaded."""

    class FallenBack:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr("onnxruntime.InferenceSession", FallenBack)
    with pytest.raises(ProviderError, match='Provider "cuda" could not start here'):
        Extractor(graph, 64, 64, provider="cuda")
