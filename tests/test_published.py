"""Agreement with the paper's published code, run on real images (shared/reference/README.md)."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from resnet18 import TAPS, resnet18

from blemish.arrays import Array, Bytes, Doubles, Floats
from blemish.features.graph import Grid, build_graph
from blemish.features.patches import Extractor
from blemish.images.read import read_image
from blemish.images.transform import Transform
from blemish.scoring.heatmap import anomaly_map
from blemish.scoring.score import maximum
from blemish.search.exact import ExactSearch

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
TRANSFORM = Transform(height=224, width=224, resize="crop")


@dataclass(frozen=True)
class Run:
    """What blemish computes on the images of the published run."""

    published: dict[str, Array]
    sized: list[Bytes]
    patches: list[Floats]
    """One (784, 1024) array for each test image."""
    squared: list[Doubles]
    """Squared distance of each patch to the full bank, for each test image."""


@pytest.fixture(scope="module")
def run() -> Run:
    if "BLEMISH_DATA" not in os.environ:
        pytest.skip("BLEMISH_DATA is not set: the images and the published results are not here")
    data = Path(os.environ["BLEMISH_DATA"])
    results = data.parent / "reference" / "patchcore_inspection_r18_mtd.npz"
    weights = data.parent / "backbones" / "resnet18_stem_to_layer3.safetensors"
    for path in (results, weights, data / "mtd"):
        if not path.exists():
            pytest.skip(f"{path.name} is not beside BLEMISH_DATA")
    with np.load(results) as file:
        published = dict(file)
    extract = Extractor(
        build_graph(resnet18(weights), {"patches": Grid(TAPS[1:], merge="adaptive")}), 224, 224, threads=2
    )
    sized = {
        path: TRANSFORM(read_image(data / "mtd" / path), path)[0]
        for path in [*map(str, published["train"]), *map(str, published["test"])]
    }
    patches = {path: extract(pixels)["patches"].reshape(-1, 1024) for path, pixels in sized.items()}
    search = ExactSearch(np.concatenate([patches[str(path)] for path in published["train"]]))
    tests = [str(path) for path in published["test"]]
    squared = [search.query(patches[path])[0][:, 0].astype(np.float64) ** 2 for path in tests]
    return Run(published, [sized[path] for path in tests], [patches[path] for path in tests], squared)


def relative(ours: Array, theirs: Array) -> float:
    """The largest difference, as a share of the largest value."""
    return float(np.abs(ours.astype(np.float64) - theirs).max() / np.abs(theirs).max())


def test_the_network_sees_the_same_pixels(run: Run) -> None:
    theirs = run.published["test_input_first"].transpose(1, 2, 0) * STD + MEAN
    np.testing.assert_array_equal(run.sized[0], np.rint(theirs * 255).astype(np.uint8))
    np.testing.assert_allclose(run.sized[0] / 255, theirs, atol=1e-6)


def test_embeddings_agree(run: Run) -> None:
    assert relative(run.patches[0], run.published["embedding_first"]) < 1e-4
    sums = np.array([patches.sum(axis=0, dtype=np.float64) for patches in run.patches])
    # A value that is 0 in nearly every patch sums to the rounding of a few ReLUs: compared with the image's largest.
    for ours, theirs in zip(sums, run.published["embedding_sums"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6 * theirs.max())


def test_unweighted_scores_agree(run: Run) -> None:
    scores = [maximum(np.sqrt(squared).astype(np.float32)) ** 2 for squared in run.squared]
    np.testing.assert_allclose(scores, run.published["scores"], rtol=1e-4)


def test_maps_agree(run: Run) -> None:
    for squared, theirs in zip(run.squared, run.published["maps"], strict=True):
        ours = anomaly_map(squared.reshape(28, 28).astype(np.float32), 224, 224, 4.0)[::4, ::4]
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)
