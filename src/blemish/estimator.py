"""A detector as scikit-learn knows estimators: with its names, its signs, its labels (extra `[sklearn]`)."""

import inspect
from collections.abc import Sequence
from typing import Any, Self, Unpack

import numpy as np

from blemish.arrays import Doubles, Ints
from blemish.detector import Detector
from blemish.errors import OptionError
from blemish.fitting import fit
from blemish.images.read import Source
from blemish.images.sources import Images, list_sources
from blemish.options.given import FitOptions
from blemish.options.settings import Resources, Settings

try:
    from sklearn.base import BaseEstimator, OutlierMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError:
    raise ImportError(
        "blemish.estimator needs scikit-learn, which is not installed: pip install 'blemish[sklearn]'"
    ) from None

__all__ = ["AnomalyDetector"]

OPTIONS = (*Settings.model_fields, *Resources.model_fields)


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns what good parts look like; scikit-learn's signs: higher is more normal, +1 is good and -1 an anomaly.

    Its parameters are the options of `blemish.fit`; None, the default of all, leaves an option as its preset has it.
    `X` is what `blemish.fit` takes as images: a list or object array of paths or arrays, an array of N x H x W x 3, ...
    After `fit`, `detector_` is the blemish.Detector and `offset_` minus its threshold.
    """

    detector_: Detector
    offset_: float

    def __init__(self, **options: Unpack[FitOptions]) -> None:
        if unknown := options.keys() - set(OPTIONS):
            raise TypeError(f"AnomalyDetector has no parameter {min(unknown)}; it has those of blemish.fit.")
        for name in OPTIONS:
            setattr(self, name, options.get(name))

    def fit(self, X: Images, y: Sequence[int] | None = None, *, groups: Sequence[str] | None = None) -> Self:
        """Learn from good images.

        Args:
            X: Images of parts.
            y: +1 for a good image, -1 for a defective one, which is left out; None: all are good. So the folds of a
                labelled set can be fitted on.
            groups: The part that each image shows, as for `blemish.fit`.

        Returns:
            The estimator itself.

        Raises:
            OptionError: An option has a value that cannot work, or a label is neither +1 nor -1.
            DataError: As for `blemish.fit`, like all other errors.
        """
        sources = list_sources(X)
        kept = _good(len(sources), y)
        self.detector_ = fit(
            [sources[number] for number in kept],
            groups=None if groups is None else [str(groups[number]) for number in kept],
            progress=False,
            **{name: value for name in OPTIONS if (value := getattr(self, name)) is not None},
        )
        self.offset_ = -self.detector_.threshold
        return self

    def score_samples(self, X: Images) -> Doubles:
        """Minus the anomaly score of each image of `X`: higher is more normal; float64, one an image.

        Raises ImageError for the first image that cannot be used, DataError where there are none.
        """
        check_is_fitted(self, "detector_")
        scores = [scores.image for scores in self.detector_.score_many(_some(X))]
        return -np.array(scores, np.float64)

    def decision_function(self, X: Images) -> Doubles:
        """How far each image of `X` is on the good side of the threshold: below 0 it is an anomaly; float64."""
        return np.asarray(self.score_samples(X) - self.offset_)

    def predict(self, X: Images) -> Ints:
        """For each image of `X`, -1 where its verdict is NG, else +1 (what is for REVIEW too); int64."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self) -> Any:
        """Images are no table of features: what a row of `X` is, and how many pixels it has, may differ."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.no_validation = True
        return tags


# scikit-learn reads the parameters of an estimator from this signature.
AnomalyDetector.__init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in OPTIONS),
    ]
)


def _good(count: int, y: Sequence[int] | None) -> list[int]:
    """The numbers of the images that are labelled good."""
    if y is None:
        return list(range(count))
    labels = np.asarray(y)
    if labels.shape != (count,):
        raise OptionError(f"{labels.size} labels were given for {count} images; give one for each image.")
    if not np.isin(labels, (1, -1)).all():
        raise OptionError("Labels are 1 for good images and -1 for defective ones; others were given.")
    return [int(number) for number in np.flatnonzero(labels == 1)]


def _some(images: Images) -> list[Source]:
    sources = list_sources(images)
    if not sources:
        raise OptionError("No images were given; at least one is needed.")
    return sources
