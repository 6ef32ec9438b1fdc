"""Image metrics: answers one can see, then scikit-learn, then laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from blemish.errors import DataError
from blemish.evaluation.metrics import auroc, average_precision, f1_max

# Few distinct scores, so that most of them tie.
labelled = st.lists(st.tuples(st.integers(-3, 3).map(float), st.integers(0, 1)), min_size=2, max_size=40).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


def test_answers_one_can_see() -> None:
    scores, labels = [1, 2, 3, 4], [0, 1, 0, 1]
    assert auroc(scores, labels) == 3 / 4
    # The highest is defective (precision 1), the second defective one is third (precision 2/3).
    assert average_precision(scores, labels) == pytest.approx((1 + 2 / 3) / 2)
    best = f1_max(scores, labels)
    assert best.value == pytest.approx(4 / 5)
    assert best.threshold == 2


def test_perfect_inverted_and_all_equal() -> None:
    labels = [0, 0, 0, 1]
    assert auroc([0, 0, 0, 1], labels) == 1
    assert auroc([1, 1, 1, 0], labels) == 0
    assert auroc([5, 5, 5, 5], labels) == 0.5
    assert average_precision([5, 5, 5, 5], labels) == 0.25
    assert f1_max([5, 5, 5, 5], labels).value == pytest.approx(2 / 5)


def test_infinite_scores_have_their_place() -> None:
    assert auroc([-np.inf, 0, np.inf, np.inf], [0, 0, 1, 0]) == pytest.approx(2.5 / 3)


@settings(deadline=None)
@given(labelled)
def test_equals_scikit_learn_with_ties(pairs: list[tuple[float, int]]) -> None:
    scores, labels = map(np.array, zip(*pairs, strict=True))
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert f1_max(scores, labels).value == pytest.approx(f1.max(), abs=1e-12)


@settings(deadline=None)
@given(labelled)
def test_oracle_threshold_reaches_the_best_f1(pairs: list[tuple[float, int]]) -> None:
    scores, labels = map(np.array, zip(*pairs, strict=True))
    best = f1_max(scores, labels)
    called = scores >= best.threshold
    right = (called & (labels == 1)).sum()
    assert best.value == pytest.approx(2 * right / (called.sum() + labels.sum()))


def test_trap_2_scores_far_out_are_not_squashed_into_ties() -> None:
    # A sigmoid or a clamp makes 100 and 200 equal to 1.0, and the AUROC 0.5.
    scores, labels = np.array([100.0, 100.0, 200.0, 200.0]), [0, 0, 1, 1]
    assert auroc(scores, labels) == 1
    assert auroc(1 / (1 + np.exp(-scores)), labels) == 0.5


@settings(deadline=None)
@given(labelled)
def test_auroc_ignores_the_scale_of_scores(pairs: list[tuple[float, int]]) -> None:
    scores, labels = map(np.array, zip(*pairs, strict=True))
    assert auroc(np.exp(scores) * 1e-9, labels) == auroc(scores, labels)
    assert auroc(-scores, labels) == pytest.approx(1 - auroc(scores, labels))


def test_trap_17_average_precision_takes_steps_not_trapezoids() -> None:
    # One defective image, ranked second: precision 1/2 at recall 1. Trapezoids would start from precision 1.
    assert average_precision([3, 2, 1], [0, 1, 0]) == 0.5
    # Ties give one step: 2 of 4 at once.
    assert average_precision([1, 1, 1, 1], [0, 1, 0, 1]) == 0.5


@pytest.mark.parametrize("metric", [auroc, average_precision, f1_max])
@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([1, 2], [0, 0], "2 good and 0 defective"),
        ([1, 2], [1, 1], "0 good and 2 defective"),
        ([], [], "0 good and 0 defective"),
        ([1, np.nan], [0, 1], "1 of 2 scores are NaN"),
        ([1, 2, 3], [0, 1], "3 scores came with 2 labels"),
        ([1, 2], [0, 2], "0 for good and 1 for defective"),
    ],
)
def test_degenerate_cases_are_answered_in_words(
    metric: object, scores: list[float], labels: list[int], words: str
) -> None:
    assert callable(metric)
    with pytest.raises(DataError, match=words):
        metric(scores, labels)
