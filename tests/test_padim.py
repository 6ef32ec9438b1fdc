"""PaDiM against scikit-learn and scipy, in float64."""

from typing import Any

import numpy as np
import pytest
from parts import good_part
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import EmpiricalCovariance

from blemish.arrays import Bools, Doubles, Floats
from blemish.backbones.backbone import Tap
from blemish.calibration import cross_fit
from blemish.errors import DataError, ImageError, OptionError
from blemish.features.patches import ImagePatches
from blemish.fitting import fit as fit_detector
from blemish.images.transform import Transform
from blemish.kernels.gaussians import EPSILON, Scatter, cross_lengths, packed, strips, whitening
from blemish.memory.training import TrainingPatches
from blemish.methods.padim import PaDiM, draw_dimensions
from blemish.options.settings import make_settings

GRID = 3, 4
WHOLE = np.ones(GRID, np.bool_)


def patches(images: int, dimension: int) -> TrainingPatches:
    """Correlated values of very different sizes, another law at every place."""
    random = np.random.default_rng(images)
    mixing = random.normal(size=(12, dimension, dimension)) * np.geomspace(0.01, 10, dimension)
    values = np.einsum("pde,npe->npd", mixing, random.normal(size=(images, 12, dimension))) + random.normal(
        size=(12, 1)
    )
    return TrainingPatches(
        values.reshape(-1, dimension).astype(np.float32),
        np.repeat(np.arange(images), 12),
        np.tile(np.arange(12), images),
        GRID,
        [WHOLE] * images,
    )


def fit(training: TrainingPatches, images: Bools | None = None, threads: int = 1) -> PaDiM:
    transform = Transform(height=3, width=4, resize="stretch")  # a pixel a patch: the map is the distances
    settings = make_settings(method="padim", sigma=0)
    return PaDiM.fit(training, settings, transform, images=images, threads=threads)


def distances(method: PaDiM, values: Floats, threads: int = 1) -> Floats:
    scores = method.score({"patches": ImagePatches(values, WHOLE)}, threads=threads)
    assert scores.map_HW is not None
    assert scores.image == scores.map_HW.max()
    assert scores.matches is None
    return scores.map_HW.ravel()


@pytest.mark.parametrize(("images", "dimension"), [(40, 7), (5, 30), (200, 61)])
def test_distances_are_those_of_scipy_under_scikit_learns_covariance(images: int, dimension: int) -> None:
    training = patches(images, dimension)
    values_NPD = training.values_ND.reshape(images, 12, dimension).astype(np.float64)
    query = values_NPD.mean(axis=0) + np.random.default_rng(1).normal(size=(12, dimension))
    expected = []
    for place in range(12):
        law = EmpiricalCovariance().fit(values_NPD[:, place])
        covariance = law.covariance_ * images / (images - 1) + 0.01 * np.eye(dimension)
        expected.append(mahalanobis(query[place], law.location_, np.linalg.inv(covariance)))
    np.testing.assert_allclose(distances(fit(training), query.astype(np.float32)), expected, rtol=1e-4)


def test_images_left_out_change_what_is_fitted_as_if_they_had_never_been() -> None:
    training = patches(20, 6)
    images = np.arange(20) % 3 > 0
    seen = images[training.image_N]
    alone = TrainingPatches(
        training.values_ND[seen],
        np.repeat(np.arange(images.sum()), 12),
        training.cell_N[seen],
        GRID,
        [WHOLE] * int(images.sum()),
    )
    some, fresh = fit(training, images), fit(alone)
    np.testing.assert_array_equal(some.factor_PF, fresh.factor_PF)
    np.testing.assert_array_equal(some.mean_PD, fresh.mean_PD)


def test_one_good_image_makes_round_gaussians() -> None:
    training = patches(3, 5)
    method = fit(training, np.array([True, False, False]))
    query = training.values_ND[:12] + np.float32(0.3)
    # The covariance is 0.01 I, so a length is ten times as long.
    np.testing.assert_allclose(distances(method, query), 10 * np.sqrt(5 * 0.3**2), rtol=1e-3)


def test_threads_change_no_bit() -> None:
    training = patches(30, 33)
    query = training.values_ND[:12] + np.float32(1)
    one, three = fit(training), fit(training, threads=3)
    np.testing.assert_array_equal(one.factor_PF, three.factor_PF)
    np.testing.assert_array_equal(distances(one, query), distances(one, query, threads=3))


@pytest.mark.parametrize("dimension", [1, 24, 25, 26, 50, 61])
def test_strips_hold_a_lower_triangle_and_little_else(dimension: int) -> None:
    lower = np.tril(np.random.default_rng(0).normal(size=(2, dimension, dimension)))
    rows = packed(lower)
    first = start = 0
    for height, width in strips(dimension):
        part = rows[:, start : start + height * width].reshape(2, height, width)
        np.testing.assert_array_equal(part, lower[:, first : first + height, :width])
        first, start = first + height, start + height * width
    assert (first, start) == (dimension, rows.shape[1])


def test_whitening_makes_the_covariance_one_however_asymmetric_its_rounding() -> None:
    random = np.random.default_rng(0)
    root = random.normal(size=(4, 70, 70))
    covariance: Doubles = root @ root.transpose(0, 2, 1) + 0.01 * np.eye(70)
    factor = whitening(covariance)
    np.testing.assert_allclose(
        factor @ covariance @ factor.transpose(0, 2, 1), np.tile(np.eye(70), (4, 1, 1)), atol=1e-8
    )
    rounded = covariance.copy()
    rounded[:, 0, 1:] *= 1 + 1e-7
    np.testing.assert_array_equal(whitening(rounded), factor)


def test_dimensions_are_drawn_by_the_seed_and_at_most_all() -> None:
    taps = [Tap(name=name, channels=30, stride=4, level=1) for name in "ab"]

    def drawn(**options: Any) -> list[int] | None:
        return draw_dimensions(taps, make_settings(method="padim", **options))

    assert drawn() is None  # a hundred of sixty
    assert drawn(dimensions="none") is None
    zero, again, one = (drawn(dimensions=20, seed=seed) for seed in (0, 0, 1))
    assert zero is not None
    assert zero == again != one
    assert len({*zero}) == 20
    assert zero == sorted(zero)
    assert {0} < {*zero} | {0} < {*range(60)}


def test_images_of_several_aspects_are_refused_with_the_option_that_helps() -> None:
    images = [good_part(0), good_part(1), good_part(2, 96, 150), good_part(3, 150, 96)]
    with pytest.raises(DataError, match=r"aspects of the good images vary, and PaDiM .*--resize stretch"):
        fit_detector(images, method="padim", size=64)
    with pytest.raises(DataError, match=r"<array> has another aspect than <array>, and PaDiM .*--resize stretch"):
        fit_detector(images, method="padim", size=64, resize="letterbox")
    fitted = fit_detector(images, method="padim", size=64, resize="stretch", dimensions=8)
    assert fitted.inspect(good_part(4, 150, 96)).score > 0


def test_an_image_of_another_aspect_is_an_error_with_its_name(tmp_path: Any) -> None:
    fitted = fit_detector([good_part(seed) for seed in range(3)], method="padim", size=64, dimensions=8)
    with pytest.raises(ImageError, match=r"^<array> has another aspect than the good images.*--resize stretch"):
        fitted.inspect(good_part(4, 150, 96))


def test_what_padim_does_not_read_is_refused() -> None:
    with pytest.raises(OptionError, match="Option coreset cannot be used with the method padim: it is read by"):
        make_settings(method="padim", coreset=0.1)
    with pytest.raises(OptionError, match="Option dimensions cannot be used with the method patchcore"):
        make_settings(dimensions=50)


def test_aligned_images_are_compared_where_all_good_ones_were_seen() -> None:
    """Alignment moves an edge out of sight, another one in each image."""
    training = patches(20, 6)
    seen = [WHOLE.copy() for _ in range(20)]
    seen[3][:, 0] = False
    seen[5][2, :] = False
    keep_N = np.concatenate([each.ravel() for each in seen])
    some = TrainingPatches(training.values_ND[keep_N], training.image_N[keep_N], training.cell_N[keep_N], GRID, seen)
    settings = make_settings(method="padim", sigma=0, align="shift")
    transform = Transform(height=3, width=4, resize="stretch")
    method = PaDiM.fit(some, settings, transform)
    np.testing.assert_array_equal(method.cell_P, [1, 2, 3, 5, 6, 7])
    query = training.values_ND[:12] + np.float32(1)
    whole = distances(fit(training), query).reshape(GRID)
    looked = WHOLE.copy()
    looked[:, 3] = False
    scores = method.score({"patches": ImagePatches(query[looked.ravel()], looked)})
    assert scores.map_HW is not None
    np.testing.assert_allclose(scores.map_HW[:2, 1:3], whole[:2, 1:3], rtol=1e-5)
    with pytest.raises(ImageError, match="has another aspect"):
        method.score({"patches": ImagePatches(query[:3], np.arange(12).reshape(GRID) % 4 == 0)})


@pytest.mark.parametrize(
    "folds", [[0, 1, 2, 3] * 5, [0] * 12 + [1, 2, 2, 2, 3, 3, 3, 3], list(range(20)), [0] * 10 + [1] * 10]
)
@pytest.mark.parametrize("dimension", [3, 40])
def test_lengths_across_folds_are_those_of_gaussians_without_the_fold(folds: list[int], dimension: int) -> None:
    good = patches(20, dimension).values_ND.reshape(20, 12, dimension).astype(np.float64).transpose(1, 0, 2)
    fold_of = np.array(folds)
    found = cross_lengths(Scatter.of(good), fold_of)
    for image, fold in enumerate(folds):
        others = good[:, fold_of != fold]
        for place, centre in enumerate(others.mean(axis=1)):
            inverse = np.linalg.inv(np.cov(others[place], rowvar=False) + EPSILON * np.eye(dimension))
            assert found[place, image] == pytest.approx(mahalanobis(good[place, image], centre, inverse), rel=1e-6)


def test_lengths_across_two_images() -> None:
    good = patches(2, 5).values_ND.reshape(2, 12, 5).astype(np.float64).transpose(1, 0, 2)
    apart = np.linalg.norm(good[:, 0] - good[:, 1], axis=1) / np.sqrt(EPSILON)
    np.testing.assert_allclose(cross_lengths(Scatter.of(good), np.array([0, 1])), np.stack([apart, apart], axis=1))


@pytest.mark.parametrize("options", [{}, {"align": "shift"}])
def test_held_out_scores_are_those_of_fitting_without_the_fold(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [good_part(seed) for seed in range(12)]
    wanted: dict[str, Any] = {"method": "padim", "size": 96, "calibration": "cross", "folds": 3} | options
    at_once = fit_detector(good, **wanted).model.held_out
    monkeypatch.setattr(cross_fit, "FitsAcross", type("Nothing", (), {}))
    one_by_one = fit_detector(good, **wanted).model.held_out
    np.testing.assert_allclose(at_once.scores_M, one_by_one.scores_M, rtol=1e-4)
    np.testing.assert_allclose(at_once.peaks_M, one_by_one.peaks_M, rtol=1e-4)
