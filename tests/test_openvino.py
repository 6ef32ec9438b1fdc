"""OpenVINO as another way to run the same graph: the same patches in float32, near ones in bfloat16."""

import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from parts import TINY, good_part

import blemish.features.patches
from blemish.backbones.backbone import load_backbone
from blemish.detector import Detector, load
from blemish.errors import ProviderError
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import OPENVINO, Extractor, available_providers, make_extractor
from blemish.fitting import fit

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 96, 160, 3), np.uint8)
INSTALLED = importlib.util.find_spec("openvino") is not None


def has_bf16() -> bool:
    if not INSTALLED:
        return False
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


here = pytest.mark.skipif(not INSTALLED, reason="the package openvino is not installed")
bf16_here = pytest.mark.skipif(not has_bf16(), reason="needs the package openvino and a processor with bfloat16")
each_with_tolerance = pytest.mark.parametrize(
    ("provider", "tolerance"),
    [pytest.param("openvino", 1e-5, marks=here), pytest.param("openvino-bf16", 0.1, marks=bf16_here)],
)


@pytest.fixture(scope="module")
def graph() -> bytes:
    backbone = load_backbone("efficientnet_lite0")
    return build_graph(backbone, {"patches": Grid(choose_taps(backbone, []))})


@each_with_tolerance
@pytest.mark.parametrize("threads", [1, 2])
def test_patches_agree_with_onnx_runtime(graph: bytes, provider: str, tolerance: float, threads: int) -> None:
    extractor = make_extractor(graph, 96, 160, provider=provider, threads=threads)
    assert extractor.threads == threads
    for image in IMAGES:
        ours, patches = extractor(image)["patches"], Extractor(graph, 96, 160)(image)["patches"]
        assert ours.dtype == np.float32
        assert ours.shape == patches.shape
        assert np.abs(ours - patches).max() < tolerance * np.abs(patches).max()


@each_with_tolerance
def test_several_callers_change_no_bit_of_each_other(graph: bytes, provider: str, tolerance: float) -> None:
    extractor = make_extractor(graph, 96, 160, provider=provider)
    alone = [extractor(image) for image in IMAGES]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(extractor, [*IMAGES, *IMAGES]))
    for patches, expected in zip(together, [*alone, *alone], strict=True):
        np.testing.assert_array_equal(patches["patches"], expected["patches"])


FIRST_CALLS = """
from concurrent.futures import ThreadPoolExecutor
import sys, numpy as np
from blemish.features.openvino import OpenVinoExtractor
extractor = OpenVinoExtractor(sys.stdin.buffer.read(), 96, 160)
with ThreadPoolExecutor(4) as pool:
    print(len(list(pool.map(extractor, [np.zeros((96, 160, 3), np.uint8)] * 8))))
"""


@here
def test_first_calls_from_several_threads_do_not_wait_for_each_other(graph: bytes) -> None:
    """Each in a fresh process, as the first call of all was what hung."""
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", FIRST_CALLS], input=graph, stdout=subprocess.PIPE, timeout=60, check=True
        )
        assert ended.stdout.strip() == b"8"


@bf16_here
def test_bfloat16_is_really_used(graph: bytes) -> None:
    """A hint that is ignored would give float32's patches, at float32's speed."""
    exact, rounded = (make_extractor(graph, 96, 160, provider=provider)(IMAGES[0])["patches"] for provider in OPENVINO)
    assert np.abs(rounded - exact).max() > 1e-4 * np.abs(exact).max()


@each_with_tolerance
def test_a_model_inspects_alike_with_either(detector: Detector, model: Path, provider: str, tolerance: float) -> None:
    part = good_part(200)
    score = load(model, provider=provider, threads=2).inspect(part).score
    assert score == pytest.approx(detector.inspect(part).score, rel=tolerance)


@here
def test_fitting_with_it_finds_the_same_thresholds(folder: Path, detector: Detector) -> None:
    fitted = fit(folder / "fit", provider="openvino", **TINY)
    assert fitted.info()["provider"] == "openvino"
    assert fitted.threshold == pytest.approx(detector.threshold, rel=0.01)


@here
def test_it_is_listed_where_it_is_installed() -> None:
    assert set(OPENVINO) <= set(available_providers())


@here
def test_a_graph_it_cannot_run_is_an_error() -> None:
    with pytest.raises(ProviderError, match=r"OpenVINO cannot run this network \(.+\); use cpu\."):
        make_extractor(b"no graph", 96, 160, provider="openvino")


@pytest.mark.parametrize("provider", OPENVINO)
def test_without_the_package_the_sentence_says_how_to_install_it(
    graph: bytes, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blemish.features.patches, "find_spec", lambda name: None)
    assert provider not in available_providers()
    with pytest.raises(ProviderError, match=rf'"{provider}" needs .* pip install "blemish\[openvino\]"'):
        make_extractor(graph, 96, 160, provider=provider)


def test_without_bfloat16_in_the_processor_the_sentence_says_so(graph: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = pytest.importorskip("openvino", reason="the package openvino is not installed")
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32"])
    with pytest.raises(ProviderError, match="does not compute in bfloat16; use the provider openvino or cpu"):
        make_extractor(graph, 96, 160, provider="openvino-bf16")
