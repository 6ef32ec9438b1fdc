"""1-NN against scikit-learn: scaler and neighbours."""

import numpy as np
import pytest
from parts import good_part
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from blemish.errors import OptionError
from blemish.features.patches import ImagePatches
from blemish.fitting import fit
from blemish.methods.nearest_image import NearestImage, pooled
from blemish.options.settings import make_settings

RANDOM = np.random.default_rng(0)
VECTORS = (RANDOM.normal(size=(40, 17)) * np.geomspace(0.01, 100, 17) + 3).astype(np.float32)
ONE = np.ones((1, 1), np.bool_)


def test_scores_are_distances_to_the_nearest_scaled_image() -> None:
    queries = (VECTORS[:9] + RANDOM.normal(size=(9, 17))).astype(np.float32)
    scaler = StandardScaler().fit(VECTORS.astype(np.float64))
    found = NearestNeighbors(n_neighbors=1).fit(scaler.transform(VECTORS.astype(np.float64)))
    distances, numbers = found.kneighbors(scaler.transform(queries.astype(np.float64)))
    method = NearestImage.fit(VECTORS, np.arange(100, 140))
    for query, distance, number in zip(queries, distances[:, 0], numbers[:, 0], strict=True):
        scores = method.score({"a": ImagePatches(query[None], ONE)})
        assert scores.image == pytest.approx(distance, rel=1e-5)
        assert scores.matches is not None
        assert scores.matches.image_Q.tolist() == [number + 100]
        assert scores.map_HW is None
        assert scores.peak == scores.image


def test_a_value_that_never_varies_divides_by_nothing() -> None:
    vectors = VECTORS.copy()
    vectors[:, 3] = 7
    query = vectors[:1].copy()
    query[0, 3] = 9
    method = NearestImage.fit(vectors, np.arange(40))
    assert method.score({"a": ImagePatches(query, ONE)}).image == pytest.approx(2)


def test_pooling_is_the_mean_of_what_is_seen_grid_by_grid() -> None:
    first, second = RANDOM.normal(size=(6, 3)).astype(np.float32), RANDOM.normal(size=(4, 2)).astype(np.float32)
    seen = np.zeros((3, 5), np.bool_)
    seen[:2, 1:4] = True
    vector = pooled({"a": ImagePatches(first, seen), "b": ImagePatches(second, np.ones((2, 2), np.bool_))})
    np.testing.assert_allclose(vector, [*first.mean(axis=0), *second.mean(axis=0)], rtol=1e-6)


def test_the_deepest_tap_serves_or_those_asked_for() -> None:
    good = [good_part(seed) for seed in range(4)]
    whole = fit(good, method="1-nn", size=96)
    assert whole.info()["gallery"] == {"images": 4, "dimension": 320}
    assert fit(good, method="1-nn", size=96, taps="2,3").info()["gallery"]["dimension"] == 152
    assert whole.inspect(good[0]).score == 0


def test_what_1_nn_does_not_read_is_refused() -> None:
    with pytest.raises(OptionError, match="Option sigma cannot be used with the method 1-nn"):
        make_settings(method="1-nn", sigma=2)
    with pytest.raises(OptionError, match="preset=paper cannot be used with the method 1-nn"):
        make_settings(method="1-nn", preset="paper")
