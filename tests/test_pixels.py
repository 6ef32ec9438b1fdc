"""Pixel metrics: answers one can see, then a sort-everything reference, then files and memory."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reference import Image, aupro, pixel_auroc
from sklearn.metrics import roc_auc_score

from blemish.arrays import Bools, Floats
from blemish.errors import DataError
from blemish.evaluation import pixels
from blemish.evaluation.pixels import PixelCurve, PixelScores

special = [0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 3.4e38, -2.5, 1.0000001]


@st.composite
def images(draw: st.DrawFn) -> list[Image]:
    """A few small maps full of ties, signs and NaN, with their masks."""
    shapes = draw(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=3))
    return [
        (
            draw(arrays(np.float32, shape, elements=st.sampled_from(special).map(np.float32))),
            draw(arrays(np.bool_, shape)),
        )
        for shape in shapes
    ]


def measure(pairs: list[Image], limit: float = 0.3) -> PixelScores:
    with PixelCurve() as curve:
        for anomaly_map, mask in pairs:
            curve.add(anomaly_map, mask)
        return curve.scores(limit=limit)


def row(*scores: float) -> Floats:
    return np.array([scores], np.float32)


def marked(*flags: int) -> Bools:
    return np.array([flags], bool)


def test_perfect_and_inverted() -> None:
    mask = marked(1, 1, 0, 0, 0, 0)
    assert (measure([(row(5, 4, 3, 2, 1, 0), mask)]).auroc, measure([(row(5, 4, 3, 2, 1, 0), mask)]).aupro) == (1, 1)
    assert (measure([(row(0, 1, 2, 3, 4, 5), mask)]).auroc, measure([(row(0, 1, 2, 3, 4, 5), mask)]).aupro) == (0, 0)


def test_all_equal_is_the_diagonal() -> None:
    scores = measure([(row(7, 7, 7, 7), marked(1, 0, 0, 1))])
    assert scores.auroc == 0.5
    # PRO climbs from 0 to 1 while the false positive rate does: at 0.3 the triangle's mean height is 0.15.
    assert scores.aupro == pytest.approx(0.15)


def test_components_weigh_alike_whatever_their_size() -> None:
    # A component of one pixel is found at once, one of four never: PRO 1/2, though 1 of 5 defective pixels is found.
    scores = measure([(row(9, 5, 1, 1, 1, 1, 5), marked(1, 0, 1, 1, 1, 1, 0))])
    assert scores.components == 2
    assert scores.aupro == pytest.approx(0.5)
    assert scores.auroc == pytest.approx(1 / 5)


def test_the_limit_is_met_on_the_straight_line() -> None:
    # 2 good pixels; the first step is one good pixel tied with the defect: PRO = 2 x FPR up to FPR 1/2.
    scores = measure([(row(3, 3, 1), marked(1, 0, 0))], limit=0.25)
    assert scores.aupro == pytest.approx(0.25 * 0.5 / 2 / 0.25)


def test_corners_connect() -> None:
    diagonal = np.eye(3, dtype=bool)
    assert measure([(np.zeros((3, 3), np.float32), diagonal)]).components == 1


def test_components_of_two_images_stay_apart() -> None:
    one = (row(1, 0), marked(1, 0))
    assert measure([one, one]).components == 2


def test_minus_zero_equals_zero() -> None:
    assert measure([(row(-0.0, 0.0), marked(0, 1))]).auroc == 0.5


def test_nan_pixels_are_left_out_and_their_share_is_told() -> None:
    scores = measure([(row(np.nan, 2, 1, np.nan), marked(1, 1, 0, 0)), (row(np.nan, 0), marked(1, 0))])
    assert (scores.pixels, scores.defective, scores.components) == (3, 1, 1)
    assert scores.unseen == pytest.approx(2 / 3)
    assert (scores.auroc, scores.aupro) == (1, 1)


def test_a_component_parted_by_an_unseen_strip_stays_one() -> None:
    assert measure([(row(3, np.nan, 1, 0), marked(1, 1, 1, 0))]).components == 1


@settings(deadline=None)
@given(images(), st.sampled_from([0.05, 0.3, 1.0]))
def test_equals_sorting_everything(pairs: list[Image], limit: float) -> None:
    scores = np.concatenate([each.ravel() for each, _ in pairs])
    defective = np.concatenate([mask.ravel() for _, mask in pairs])[~np.isnan(scores)]
    if not defective.any() or defective.all():
        with pytest.raises(DataError, match="need good and defective pixels"):
            measure(pairs, limit)
        return
    found = measure(pairs, limit)
    assert found.auroc == pytest.approx(pixel_auroc(pairs), abs=1e-12)
    assert found.aupro == pytest.approx(aupro(pairs, limit), abs=1e-12)


def blobs(seed: int) -> list[Image]:
    """Four noisy maps, three of them with up to three rectangular defects that score higher by chance."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(4, 48, 64)).astype(np.float32)
    masks = np.zeros(maps.shape, bool)
    for i in range(3):
        for _ in range(3):
            y, x = rng.integers(0, 40), rng.integers(0, 52)
            h, w = rng.integers(2, 9, 2)
            masks[i, y : y + h, x : x + w] = True
    maps += masks * rng.uniform(0.5, 3, size=(4, 1, 1)).astype(np.float32)
    return list(zip(maps, masks, strict=True))


@pytest.mark.parametrize(
    ("seed", "limit", "anomalib"),
    [
        (0, 0.05, 0.7056528329849243),
        (0, 0.3, 0.9107593297958374),
        (0, 1.0, 0.9719421863555908),
        (1, 0.05, 0.3046261966228485),
        (1, 0.3, 0.6248480081558228),
        (1, 1.0, 0.8455370664596558),
        (2, 0.05, 0.3416387736797333),
        (2, 0.3, 0.601874589920044),
        (2, 1.0, 0.8178296089172363),
    ],
)
def test_aupro_equals_anomalibs(seed: int, limit: float, anomalib: float) -> None:
    # What anomalib 2.7.0 answers for these images: metric = anomalib.metrics.aupro._AUPRO(fpr_limit=limit);
    # metric.update(torch.from_numpy(maps), torch.from_numpy(masks).int());
    # float(metric.compute()). It counts in float32.
    assert measure(blobs(seed), limit).aupro == pytest.approx(anomalib, abs=2e-6)


def random_images(count: int, ties: bool) -> list[Image]:
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(count):
        mask = rng.random((9, 14)) < 0.2
        scores = rng.normal(size=mask.shape) + mask * 0.7
        pairs.append((scores.round(1 if ties else 9).astype(np.float32), mask))
    return pairs


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("run", [1, 7, 100, 1 << 22])
def test_equals_references_however_the_runs_are_cut(ties: bool, run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_RUN", run)
    pairs = random_images(3, ties)
    found = measure(pairs)
    scores = np.concatenate([each.ravel() for each, _ in pairs])
    assert found.auroc == pytest.approx(roc_auc_score(np.concatenate([m.ravel() for _, m in pairs]), scores), abs=1e-12)
    assert found.aupro == pytest.approx(aupro(pairs, 0.3), abs=1e-12)


def test_trap_2_scores_far_out_are_not_squashed_into_ties() -> None:
    # Both float32 sigmoids are exactly 1.
    assert measure([(row(100, 200), marked(0, 1))]).auroc == 1


def test_trap_7_height_and_width_are_not_swapped() -> None:
    with pytest.raises(DataError, match=r"map of shape \(2, 3\) came with a mask of shape \(3, 2\)"):
        measure([(np.zeros((2, 3), np.float32), np.zeros((3, 2), bool))])


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "0 good and 0 defective"),
        ([(row(1, 2), marked(0, 0))], "2 good and 0 defective"),
        ([(row(1, 2), marked(1, 1))], "0 good and 2 defective"),
        ([(row(1, np.nan), marked(0, 1))], "1 good and 0 defective"),
    ],
)
def test_degenerate_cases_are_answered_in_words(pairs: list[Image], words: str) -> None:
    with pytest.raises(DataError, match=words):
        measure(pairs)


def test_more_images_may_follow_an_answer() -> None:
    pairs = random_images(2, ties=True)
    with PixelCurve() as curve:
        curve.add(*pairs[0])
        curve.scores()
        curve.add(*pairs[1])
        assert curve.scores() == measure(pairs)


def test_an_error_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(pixels, "_RUN", 5)
    scores, mask = random_images(1, ties=False)[0]
    with pytest.raises(DataError):
        measure([(scores, mask), (scores, mask[1:])])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a POSIX signal")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_process_leaves_no_files(sent: signal.Signals, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import os, signal, numpy as np
        from blemish.evaluation.pixels import PixelCurve
        with PixelCurve() as curve:
            curve.add(np.ones((3000, 3000), np.float32), np.zeros((3000, 3000), bool))
            os.kill(os.getpid(), {int(sent)})
    """)
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert done.returncode == -sent, done.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        def seek(self, place: int) -> None: ...

        def write(self, data: Any) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None: ...

    monkeypatch.setattr(tempfile, "TemporaryFile", FullDisk)
    with pytest.raises(DataError, match=r"No space left.*TMPDIR"):
        measure([(row(1, 0), marked(1, 0))])
