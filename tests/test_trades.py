"""False rejects against misses, as evaluate, demo and the report end with."""

from dataclasses import replace
from pathlib import Path

import pytest
from parts import good_part, save_image, stained_part
from shell import RunCli

from blemish.calibrating import calibrate
from blemish.calibration.promise import Share
from blemish.detector import Detector
from blemish.evaluation.evaluation import Evaluation
from blemish.evaluation.run import evaluate
from blemish.evaluation.trades import band_in_words, misses_unknown, trades
from blemish.language.translation import translated
from blemish.reports.report import write_report
from blemish.reports.words import Words


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tested")
    for seed in range(3):
        save_image(root / "good" / f"{seed}.png", good_part(500 + seed))
        save_image(root / "defective" / f"{seed}.png", stained_part(600 + seed).grey)
    return root


@pytest.fixture(scope="module")
def evaluation(detector: Detector, tested: Path) -> Evaluation:
    return evaluate(detector, tested, resamples=1)


def test_the_point_in_use_says_what_the_evaluation_says(detector: Detector, evaluation: Evaluation) -> None:
    found = trades(detector, evaluation)
    assert [found[0].name, found[1].name] == ["in use", "in use, 5.0 % REVIEW"]
    assert found[0].threshold == detector.threshold
    assert found[0].rejected == evaluation.false_rejects
    assert found[0].missed == evaluation.misses
    assert found[0].reviewed is None


def test_what_a_band_shows_people_was_missed_or_passed_before(detector: Detector, evaluation: Evaluation) -> None:
    """Scores put between both thresholds: one good and one defective part are REVIEW and no longer OK."""
    narrow = calibrate(detector, threshold=detector.threshold * 3, review=0.3)
    low = narrow.model.manifest.calibration.review_threshold
    scores = [low * 0.5, low * 1.01, low * 0.4, low * 0.9, low * 1.01, detector.threshold * 4]
    moved = [
        replace(each, score=score)
        for each, score in zip(sorted(evaluation.predictions, key=lambda p: p.label), scores, strict=True)
    ]
    found = trades(narrow, replace(evaluation, predictions=moved))[0]
    assert found.rejected.count == 0
    assert found.missed.count == 1
    assert found.reviewed is not None
    assert [share.count for share in found.reviewed] == [1, 1]
    assert found.cells()[-1] == "1 good, 1 defective"
    assert band_in_words([found], "part.blemish") == "", "a band is in use"


def test_without_defects_it_says_what_to_do(
    detector: Detector, evaluation: Evaluation, model: Path, tmp_path: Path
) -> None:
    good = [each for each in evaluation.predictions if not each.label]
    only_good = replace(evaluation, predictions=good)
    assert trades(detector, only_good) == []
    write_report(tmp_path / "r.html", detector, only_good, model=model, data="good")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"run: blemish calibrate {model.name} --defective ng/" in page


def test_evaluate_and_the_report_end_with_it(
    tested: Path, detector: Detector, evaluation: Evaluation, model: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    outcome = run_cli("evaluate", model, tested)
    assert outcome.code == 0
    assert "in use, 5.0 % REVIEW" in outcome.stdout
    write_report(tmp_path / "r.html", detector, evaluation, model=model, data="parts", language="ja")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "過検出と見逃し" in page


def test_a_band_is_said_where_something_is_missed(detector: Detector, evaluation: Evaluation) -> None:
    """All defective parts score a little below the threshold: they are missed, and REVIEW with a band of some width."""
    moved = [replace(each, score=detector.threshold * 0.999) for each in evaluation.predictions]
    found = trades(detector, replace(evaluation, predictions=moved))
    assert band_in_words(found, "part.blemish") == "", "few good parts give a band of no width, which shows nobody more"
    caught = replace(found[1], reviewed=(Share.observed(1, 3), Share.observed(2, 3)))
    said = band_in_words([found[0], caught, *found[2:]], "part.blemish")
    assert "2 of the 3 missed defective parts, and 1 of 3 good ones" in said
    assert "REVIEWの範囲を5.0 %にすると" in Words("ja").sentence(said)


@pytest.mark.parametrize(
    "said",
    [
        misses_unknown("part.blemish"),
        "Look at them, and fit again without those that are defective.",
        "Left out, as they look like defects: a.png (3). They come back by: blemish feedback undo part.blemish",
    ],
)
def test_what_to_do_next_is_said_in_japanese(said: str) -> None:
    """They stood among the words within sentences, where `say` does not look."""
    assert translated(said) != said
