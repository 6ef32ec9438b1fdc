"""The run that joins data set, detector and metrics, with a detector that knows the answers."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blemish.arrays import Array, Floats
from blemish.data.samples import Sample, read_samples
from blemish.errors import DataError
from blemish.evaluation.run import evaluate
from blemish.result import Result, Verdict
from blemish.system.address import Place

HEIGHT, WIDTH = 3, 5


@dataclass
class FakeDetector:
    """Answers from a table of scores by file name; the map is the score where x = 1, else 0."""

    scores: dict[str, float]
    threshold: float = 0.5
    band: float = 0.0
    anomaly_map: Floats | None = None
    maps: bool = True

    def inspect_many(self, images: Iterable[Place]) -> Iterator[Result]:
        for path in images:
            score = self.scores[path.name]
            if np.isnan(score):
                yield Result(str(path), Verdict.ERROR, score, self.threshold, error="cut short")
                continue
            verdict = Verdict.NG if score > self.threshold else Verdict.OK
            if self.threshold < score <= self.threshold + self.band:
                verdict = Verdict.REVIEW
            yield Result(str(path), verdict, score, self.threshold, self._map(score) if self.maps else None)

    def _map(self, score: float) -> Floats:
        if self.anomaly_map is not None:
            return self.anomaly_map
        found = np.zeros((HEIGHT, WIDTH), np.float32)
        found[:, 1] = score
        return found


def save(path: Path, pixels: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def category(tmp_path: Path) -> Path:
    """Three good test images, two scratched and one with a hole; the defect is the column x = 1."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, 1] = 1
    # Different pixels in each: pictures that are alike would count as one part.
    random = np.random.default_rng(0)
    for name in ("train/good/t0", "test/good/g0", "test/good/g1", "test/good/g2"):
        save(tmp_path / f"{name}.png", random.integers(0, 256, (HEIGHT, WIDTH), np.uint8))
    for name in ("scratch/s0", "scratch/s1", "hole/h0"):
        save(tmp_path / "test" / f"{name}.png", random.integers(0, 256, (HEIGHT, WIDTH), np.uint8))
        save(tmp_path / "ground_truth" / f"{name}_mask.png", mask)
    return tmp_path


SCORES = {"g0.png": 0.1, "g1.png": 0.2, "g2.png": 0.6, "s0.png": 0.9, "s1.png": 0.8, "h0.png": 0.3}


def test_numbers_one_can_see(category: Path) -> None:
    found = evaluate(FakeDetector(SCORES), read_samples(category))
    assert (found.good, found.defective, found.groups) == (3, 3, 6)
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx(8 / 9)
    assert found.auroc.low is not None
    assert found.auroc.high is not None
    assert found.auroc.low <= found.auroc.value <= found.auroc.high
    assert found.average_precision is not None
    assert found.average_precision.value == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert found.f1_max is not None
    assert found.f1_max.value == pytest.approx(6 / 7)
    assert found.f1_max_oracle_threshold == 0.3
    assert [(d.defect, d.images, d.missed, d.auroc) for d in found.defects] == [
        ("hole", 1, 1, pytest.approx(2 / 3)),
        ("scratch", 2, 0, 1.0),
    ]
    assert found.confusion.false_reject_rate == pytest.approx(1 / 3)
    assert found.confusion.miss_rate == pytest.approx(1 / 3)
    assert found.notes == []
    assert found.errors == []


def test_pixels_of_good_and_defective_images_are_pooled(category: Path) -> None:
    pixels = evaluate(FakeDetector(SCORES), read_samples(category)).pixels
    assert pixels is not None
    assert (pixels.pixels, pixels.defective, pixels.components) == (6 * HEIGHT * WIDTH, 9, 3)
    # Of 81 good pixels only the three of g2 (0.6) lie above the hole's three defective ones (0.3).
    assert pixels.auroc == pytest.approx(1 - 3 * 3 / (81 * 9))


def test_only_test_samples_are_used(category: Path) -> None:
    # The fake knows no score for the training image and would fail.
    assert len(evaluate(FakeDetector(SCORES), read_samples(category)).predictions) == 6
    with pytest.raises(DataError, match="None of 1 samples belongs to the split test"):
        evaluate(FakeDetector(SCORES), [sample for sample in read_samples(category) if sample.split == "train"])


def test_review_is_neither_a_false_reject_nor_a_miss(category: Path) -> None:
    confusion = evaluate(FakeDetector(SCORES, threshold=0.25, band=0.4), read_samples(category)).confusion
    assert (confusion.good_ok, confusion.good_review, confusion.good_ng) == (2, 1, 0)
    assert (confusion.defective_ok, confusion.defective_review, confusion.defective_ng) == (0, 1, 2)
    assert (confusion.false_reject_rate, confusion.miss_rate) == (0, 0)


def test_trap_3_the_threshold_is_the_detectors_own(category: Path) -> None:
    found = evaluate(FakeDetector(SCORES, threshold=0.05), read_samples(category))
    assert found.threshold == 0.05
    assert found.confusion.false_reject_rate == 1
    assert "F1-max (oracle)" in [name for name, _, _ in found.rows()]


def test_trap_13_an_image_that_failed_is_listed_and_never_good(category: Path) -> None:
    found = evaluate(FakeDetector(SCORES | {"h0.png": np.nan, "g2.png": np.nan}), read_samples(category))
    assert [Path(each.path).name for each in found.errors] == ["g2.png", "h0.png"]
    assert found.errors[0].error == "cut short"
    assert "2 of 6 images could not be inspected" in found.notes[0]
    assert (found.good, found.defective) == (3, 3)
    assert found.confusion.good_ok == found.confusion.defective_ng == 2
    assert found.auroc is not None
    assert found.auroc.value == 1
    assert [defect.defect for defect in found.defects] == ["scratch"]


def test_trap_2_scores_far_out_are_ranked_as_they_are(category: Path) -> None:
    far = dict(zip(SCORES, [100.0, 110.0, 120.0, 220.0, 210.0, 200.0], strict=True))
    found = evaluate(FakeDetector(far), read_samples(category))
    assert found.auroc is not None
    assert found.auroc.value == 1


def test_trap_4_masks_are_never_resized(category: Path) -> None:
    save(category / "ground_truth/hole/h0_mask.png", np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8))
    words = r"h0_mask\.png is 10 x 6 pixels but the image .*h0\.png is 5 x 3"
    with pytest.raises(DataError, match=words):
        evaluate(FakeDetector(SCORES), read_samples(category))


def test_trap_7_a_map_with_height_and_width_swapped_is_refused(category: Path) -> None:
    detector = FakeDetector(SCORES, anomaly_map=np.zeros((WIDTH, HEIGHT), np.float32))
    with pytest.raises(DataError, match=r"is 5 x 3 pixels but the image .* is 3 x 5"):
        evaluate(detector, read_samples(category))


def test_without_masks_there_are_no_pixel_metrics_and_it_is_said(category: Path) -> None:
    samples = [replace(sample, mask=None) for sample in read_samples(category)]
    found = evaluate(FakeDetector(SCORES), samples)
    assert found.pixels is None
    assert found.notes == ["No masks came with the defective images, so there are no pixel metrics."]


def test_what_is_left_out_of_pixel_metrics_is_said(category: Path) -> None:
    samples = read_samples(category)
    first = next(i for i, sample in enumerate(samples) if sample.label)
    samples[first] = replace(samples[first], mask=None)
    save(category / "ground_truth/scratch/s0_mask.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    notes = evaluate(FakeDetector(SCORES), samples).notes
    assert "Left out of the pixel metrics, because there is no mask: 1 images." in notes
    assert "Defective, but the mask is empty: 1 images." in notes


def test_a_detector_without_maps(category: Path) -> None:
    found = evaluate(FakeDetector(SCORES, maps=False), read_samples(category))
    assert found.pixels is None
    assert "because there is no anomaly map: 6 images" in found.notes[0]
    assert "0 good and 0 defective were looked at" in found.notes[1]


def test_a_good_image_whose_mask_marks_a_defect(category: Path) -> None:
    samples = read_samples(category)
    with pytest.raises(DataError, match=r"s1\.png is labelled good but its mask .* marks a defect"):
        evaluate(FakeDetector(SCORES), [*samples[:-1], replace(samples[-1], label=0, defect="good")])


def test_unseen_defects_are_told(category: Path) -> None:
    cropped = np.zeros((HEIGHT, WIDTH), np.float32)
    cropped[0] = np.nan
    found = evaluate(FakeDetector(SCORES, anomaly_map=cropped), read_samples(category))
    assert found.pixels is not None
    assert found.pixels.unseen == pytest.approx(1 / 3)
    assert "33.3 % of the defective pixels were not looked at" in found.notes[0]


def test_only_good_images_are_answered_in_words(category: Path) -> None:
    found = evaluate(FakeDetector(SCORES), [sample for sample in read_samples(category) if not sample.label])
    assert (found.auroc, found.average_precision, found.f1_max, found.pixels) == (None, None, None, None)
    assert any("3 good and 0 defective" in note for note in found.notes)
    assert found.confusion.false_reject_rate == pytest.approx(1 / 3)
    assert found.confusion.miss_rate is None


def test_one_group_has_estimates_but_no_intervals(category: Path) -> None:
    samples = [replace(sample, group="one part") for sample in read_samples(category)]
    found = evaluate(FakeDetector(SCORES), samples)
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx(8 / 9)
    assert found.auroc.low is None
    assert any("at least two groups" in note for note in found.notes)


def test_json_is_strict_and_the_table_is_text(category: Path) -> None:
    found = evaluate(FakeDetector(SCORES | {"h0.png": np.nan}, threshold=np.inf), read_samples(category))
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["threshold"] is None
    assert plain["confusion"]["miss_rate"] == 1
    assert [Path(path).name for path in plain["errors"]] == ["h0.png"]
    assert [each["verdict"] for each in plain["predictions"]] == ["OK", "OK", "OK", "ERROR", "OK", "OK"]
    rows = {name: value for name, value, _ in found.rows()}
    assert rows["image AUROC"] == "100.0 %"
    assert rows["errors"] == "1"
    assert "AUPRO at 0.3" in rows


def test_progress_ends_and_the_seed_decides_the_intervals(category: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    samples: list[Sample] = read_samples(category)
    found = evaluate(FakeDetector(SCORES), samples, progress=lambda *step: steps.append(step))
    assert steps == [("inspect", done, 6) for done in range(1, 7)]
    again = evaluate(FakeDetector(SCORES), samples, seed=0)
    assert again.auroc == found.auroc


def test_parts_are_counted_by_what_their_images_say_together(tmp_path: Path) -> None:
    """A good part is rejected as soon as one image is; a defective one is missed only where all are OK."""
    scores = {"a0": 0.1, "a1": 0.9, "b0": 0.2, "c0": 0.1, "c1": 0.8, "d0": 0.1, "d1": 0.3}
    samples = [
        Sample(Path(name), int(name[0] in "cd"), "good" if name[0] in "ab" else "scratch", None, name[0], "test")
        for name in scores
    ]
    found = evaluate(FakeDetector(scores, maps=False), samples)
    assert found.false_rejects is not None
    assert found.misses is not None
    assert (found.false_rejects.count, found.false_rejects.of) == (1, 2)
    assert (found.misses.count, found.misses.of) == (1, 2)
    assert set(found.oracle_points) == {"zero miss", "least cost"}
    assert found.oracle_points["zero miss"].misses.count == 0
    rows = {row[0]: row[1:] for row in found.rows()}
    assert rows["parts missed"] == ("50.0 % (1 of 2)", "95 %: 1.3 % to 98.7 %")
    assert "zero miss (oracle)" in rows
    assert json.loads(json.dumps(found.to_dict()))["misses"]["count"] == 1


def test_without_defects_there_is_no_oracle(category: Path) -> None:
    samples = [sample for sample in read_samples(category) if not sample.label]
    found = evaluate(FakeDetector(SCORES), samples)
    assert (found.misses, found.oracle_points) == (None, {})
    assert any("Operating points need good and defective images" in note for note in found.notes)
