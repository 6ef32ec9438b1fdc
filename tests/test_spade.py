"""SPADE against brute force in float64, and scikit-learn's neighbours."""

from typing import Any

import cv2
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from blemish.arrays import Floats
from blemish.errors import BlemishError, OptionError
from blemish.features.patches import Features, ImagePatches
from blemish.fitting import fit as fit_detector
from blemish.images.transform import Transform
from blemish.methods.spade import SPADE, Level
from blemish.options.settings import make_settings

IMAGES = 23
GRIDS = ((4, 6), (2, 3))
DIMENSIONS = 5, 8
RANDOM = np.random.default_rng(0)
VECTORS: Floats = RANDOM.normal(size=(IMAGES, 11)).astype(np.float32)
ROWS: list[Floats] = [
    RANDOM.normal(size=(IMAGES * h * w, d)).astype(np.float32) for (h, w), d in zip(GRIDS, DIMENSIONS, strict=True)
]


def gallery(**options: Any) -> SPADE:
    """A pixel a patch of the finer level."""
    levels = [
        Level(rows, np.repeat(np.arange(IMAGES), h * w), np.tile(np.arange(h * w), IMAGES))
        for rows, (h, w) in zip(ROWS, GRIDS, strict=True)
    ]
    settings = make_settings(method="spade", taps=[1, 2], sigma=0, **options)
    return SPADE(VECTORS, np.arange(IMAGES), levels, settings, Transform(height=4, width=6, resize="stretch"))


def an_image() -> Features:
    random = np.random.default_rng(1)
    features = {"whole": ImagePatches(random.normal(size=(1, 11)).astype(np.float32), np.ones((1, 1), np.bool_))}
    for i, ((h, w), d) in enumerate(zip(GRIDS, DIMENSIONS, strict=True)):
        values = random.normal(size=(h * w, d)).astype(np.float32)
        features[f"level{i}"] = ImagePatches(values, np.ones((h, w), np.bool_))
    return features


@pytest.mark.parametrize("nearest", [1, 5, 50])
def test_the_image_score_is_the_mean_distance_to_the_nearest_images(nearest: int) -> None:
    features = an_image()
    found = NearestNeighbors(n_neighbors=min(nearest, IMAGES)).fit(VECTORS.astype(np.float64))
    expected = found.kneighbors(features["whole"].values_QD.astype(np.float64))[0].mean()
    assert gallery(nearest_images=nearest).score(features).image == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("nearest", [1, 5, 50])
def test_the_map_is_the_mean_of_the_levels_distances_to_the_patches_of_those_images(nearest: int) -> None:
    features = an_image()
    images = np.linalg.norm(VECTORS.astype(np.float64) - features["whole"].values_QD, axis=1).argsort()[:nearest]
    maps = []
    for i, (h, w) in enumerate(GRIDS):
        rows = np.concatenate([ROWS[i][image * h * w : (image + 1) * h * w] for image in images]).astype(np.float64)
        distances = np.linalg.norm(features[f"level{i}"].values_QD[:, None] - rows, axis=2).min(axis=1)
        maps.append(cv2.resize(distances.reshape(h, w), (6, 4), interpolation=cv2.INTER_LINEAR))
    scores = gallery(nearest_images=nearest).score(features)
    np.testing.assert_allclose(scores.map_HW, np.mean(maps, axis=0), rtol=1e-5)  # type: ignore[arg-type]


def test_no_image_of_the_gallery_is_left_out() -> None:
    """A known reimplementation drops the last part of its last chunk: each image must find itself at distance 0."""
    method = gallery(nearest_images=1)
    for image in range(IMAGES):
        features: dict[str, ImagePatches] = {"whole": ImagePatches(VECTORS[[image]], np.ones((1, 1), np.bool_))}
        for i, (h, w) in enumerate(GRIDS):
            own = ROWS[i][image * h * w : (image + 1) * h * w]
            features[f"level{i}"] = ImagePatches(own, np.ones((h, w), np.bool_))
        scores = method.score(features)
        assert scores.image == 0
        assert scores.map_HW is not None
        assert not scores.map_HW.any()
        assert scores.matches is not None
        np.testing.assert_array_equal(scores.matches.image_Q, image)


def test_the_nearest_patches_are_where_they_are_said_to_be() -> None:
    features = an_image()
    matches = gallery(nearest_images=4).score(features).matches
    assert matches is not None
    rows = ROWS[0][matches.image_Q * 24 + matches.cell_Q]
    distances = np.linalg.norm(features["level0"].values_QD[matches.at_Q] - rows, axis=1)
    assert matches.grid == GRIDS[0]
    np.testing.assert_allclose(distances, matches.distance_Q, rtol=1e-5)


def test_levels_must_be_named() -> None:
    image = np.zeros((64, 64), np.uint8)
    with pytest.raises(OptionError, match="taps must name 1 to 6 taps for the method spade"):
        fit_detector([image, image + 1], method="spade", taps="none", size=64)
    with pytest.raises(BlemishError, match="no tap layer9"):
        fit_detector([image, image + 1], method="spade", taps="layer9", size=64)
