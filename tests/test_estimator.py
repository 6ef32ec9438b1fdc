"""The estimator of scikit-learn: signs and labels, cloning, pipelines, searches, and scikit-learn's own checks."""

import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from parts import TINY, good_part, save_image, scratched_part

pytest.importorskip("sklearn", reason="the extra [sklearn] is not installed")

from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

import blemish
from blemish.arrays import Doubles, Floats
from blemish.errors import DataError, OptionError
from blemish.estimator import AnomalyDetector
from blemish.result import Verdict

GOOD = [good_part(seed) for seed in range(8)]
BAD = [scratched_part(300 + seed).grey for seed in range(4)]
QUICK: dict[str, Any] = {"method": "1-nn", "size": 48, "threads": 1}
"""Fits in milliseconds: nearest image, no network."""


def objects(images: Sequence[Any]) -> Any:
    """An object array of images, as scikit-learn's own functions like them."""
    array = np.empty(len(images), object)
    array[:] = images
    return array


@pytest.fixture(scope="module")
def fitted() -> AnomalyDetector:
    return AnomalyDetector(**TINY).fit(GOOD)


def test_signs_and_labels_are_scikit_learn_s(fitted: AnomalyDetector) -> None:
    assert is_outlier_detector(fitted)
    images = [good_part(100), *BAD]
    results = list(fitted.detector_.inspect_many(images))
    np.testing.assert_array_equal(fitted.score_samples(images), [-result.score for result in results])
    assert fitted.offset_ == -fitted.detector_.threshold
    np.testing.assert_array_equal(
        fitted.decision_function(images), [result.threshold - result.score for result in results]
    )
    assert fitted.predict(images).tolist() == [-1 if result.verdict is Verdict.NG else 1 for result in results]
    assert fitted.predict(BAD).tolist() == [-1] * 4


def test_paths_lists_stacks_and_object_arrays_agree(fitted: AnomalyDetector, tmp_path: Path) -> None:
    paths = [str(save_image(tmp_path / f"{number}.png", image)) for number, image in enumerate(BAD)]
    expected = fitted.score_samples(BAD)
    for images in (paths, np.array(paths), objects(BAD), str(tmp_path), np.repeat(np.stack(BAD)[..., None], 3, axis=3)):
        np.testing.assert_array_equal(fitted.score_samples(images), expected)


def test_parameters_are_the_options_of_fit() -> None:
    estimator = AnomalyDetector(size=48)
    assert estimator.get_params()["size"] == 48
    assert estimator.get_params()["coreset"] is None
    assert estimator.set_params(method="1-nn").method == "1-nn"
    assert clone(estimator).get_params() == estimator.get_params()
    assert repr(estimator) == "AnomalyDetector(method='1-nn', size=48)"
    with pytest.raises(TypeError, match="no parameter corset"):
        AnomalyDetector(corset=0.1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="Invalid parameter 'corset'"):
        estimator.set_params(corset=0.1)


def test_known_defects_are_left_out_of_what_is_fitted() -> None:
    images, labels = objects([*GOOD, *BAD]), [1] * 8 + [-1] * 4
    told = AnomalyDetector(**QUICK).fit(images, labels)
    alone = AnomalyDetector(**QUICK).fit(GOOD)
    np.testing.assert_array_equal(told.score_samples(BAD), alone.score_samples(BAD))
    with pytest.raises(OptionError, match="Labels are 1 for good images and -1"):
        AnomalyDetector(**QUICK).fit(images, [0] * 12)
    with pytest.raises(OptionError, match="3 labels were given for 12 images"):
        AnomalyDetector(**QUICK).fit(images, [1, 1, -1])


def test_groups_reach_the_calibration() -> None:
    with pytest.raises(DataError, match="good images of different parts"):
        AnomalyDetector(**QUICK).fit(GOOD, groups=["one"] * 8)


def test_it_must_be_fitted_first() -> None:
    with pytest.raises(NotFittedError):
        AnomalyDetector().predict(BAD)


def test_a_fitted_one_can_be_pickled(fitted: AnomalyDetector) -> None:
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.score_samples(BAD), fitted.score_samples(BAD))


def test_pipeline() -> None:
    crop = FunctionTransformer(lambda images: [image[:64, :96] for image in images])
    pipeline = Pipeline([("crop", crop), ("detector", AnomalyDetector(**QUICK))]).fit(GOOD)
    assert pipeline.predict(BAD).shape == (4,)
    assert pipeline.score_samples(BAD).shape == (4,)


def test_grid_search_and_cross_validation_with_groups() -> None:
    images, labels = objects([*GOOD, *BAD]), np.array([1] * 8 + [-1] * 4)
    groups = [0, 0, 1, 1, 2, 2, 3, 3, 0, 1, 2, 3]
    folds = GroupKFold(4)
    scores = cross_val_score(AnomalyDetector(**QUICK), images, labels, groups=groups, cv=folds, scoring="roc_auc")
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()
    search = GridSearchCV(AnomalyDetector(**QUICK), {"size": [32, 48]}, scoring="roc_auc", cv=folds)
    search.fit(images, labels, groups=groups)
    assert search.best_params_["size"] in (32, 48)
    assert search.best_estimator_.predict(images).shape == (12,)


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "blemish.estimator")
    with pytest.raises(ImportError, match=r"pip install 'blemish\[sklearn\]'$"):
        __import__("blemish.estimator")
    assert "estimator" not in blemish.__all__


class RowsAsImages(AnomalyDetector):
    """Takes the tables of scikit-learn's checks: each row becomes an image, its values as vertical stripes."""

    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        table = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        return super().fit([striped(row) for row in table])

    def score_samples(self, X: Any) -> Doubles:
        check_is_fitted(self, "detector_")
        table = validate_data(self, X, dtype=np.float32, reset=False)
        return super().score_samples([striped(row) for row in table])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array, tags.input_tags.string = True, False, False
        tags.no_validation = False
        return tags


def striped(row: Floats) -> Floats:
    """32 rows of pixels, at least 32 wide."""
    return np.kron(row[None, :], np.ones((32, -(-32 // len(row))), np.float32))


BOTH_KINDS = "wants outliers among what was fitted on; here all of that is good, and the threshold promises to pass it"
LEFT_OUT = {"check_outliers_fit_predict": BOTH_KINDS, "check_outliers_train": BOTH_KINDS}
"""Checks of scikit-learn that make no sense here, each with its reason; docs/python.md lists them."""


@parametrize_with_checks([RowsAsImages(**QUICK)])  # type: ignore[untyped-decorator]
def test_scikit_learn_s_own_checks(estimator: Any, check: Any) -> None:
    name = check.func.__name__
    if name in LEFT_OUT:
        pytest.skip(f"{name} {LEFT_OUT[name]}")
    check(estimator)
