"""Charts against scikit-learn and counting by hand."""

import re

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from blemish.arrays import Doubles
from blemish.evaluation.metrics import Sweep, sweep
from blemish.reports.charts import Axis, curve, pr_points, roc_points, score_axis, strip, ticks


@pytest.fixture
def scores() -> Doubles:
    return np.round(np.random.default_rng(0).normal(0, 1, 300), 1)


@pytest.fixture
def labels(scores: Doubles) -> Doubles:
    return (scores + np.random.default_rng(1).normal(0, 1, 300) > 0.3).astype(np.float64)


@pytest.fixture
def swept(scores: Doubles, labels: Doubles) -> Sweep:
    return sweep(scores, labels.astype(int))


def test_roc_points(swept: Sweep, scores: Doubles, labels: Doubles) -> None:
    points = roc_points(swept)
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(points, np.stack([fpr, tpr], axis=1))
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(roc_auc_score(labels, scores))


def test_the_area_under_the_steps_is_average_precision(swept: Sweep, scores: Doubles, labels: Doubles) -> None:
    points = pr_points(swept)
    area = (np.diff(points[:, 0]) * points[1:, 1]).sum()
    assert area == pytest.approx(average_precision_score(labels, scores))


def test_a_curve_is_drawn_to_its_ends(swept: Sweep) -> None:
    drawn = curve("ROC", "axes", "roc", roc_points(swept), (0.25, 0.5), chance=True)
    (path,) = re.findall(r'd="(M[^"]+)" class="line"', drawn)
    assert path.startswith("M0 100L")
    assert path.endswith("L100 0")
    assert 'style="--x:25.00%;--y:50.00%" data-point="roc"' in drawn


def test_bars_count_scores() -> None:
    drawn = strip("Good", np.array([0.0, 0.01, 0.02, 9.99]), Axis(0.0, 10.0), "good")
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"', drawn)]
    assert heights == [96.0, 32.0]
    assert "Good: 4" in drawn


@pytest.mark.parametrize("values", [[1.0, 3.0, 2.0], [5.0], [-2.0, -2.0], [0.0, 1e-9], [1e6, 2e6]])
def test_the_axis_holds_everything_and_its_ticks_are_round(values: list[float]) -> None:
    axis = score_axis([np.array(values), np.empty(0)], values[0])
    assert axis.low < min(values) <= max(values) < axis.high
    shown = re.findall(r"left:([\d.]+)%", ticks(axis))
    assert 2 <= len(shown) <= 7
    assert all(0 <= float(place) <= 100 for place in shown)
