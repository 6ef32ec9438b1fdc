"""The report of an evaluation: what stands in it, and that it stands alone."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from parts import good_part, save_image, scratched_part, stained_part
from shell import RunCli
from test_html import Reader

from blemish.calibrating import calibrate
from blemish.data.samples import Sample
from blemish.detector import Detector
from blemish.errors import DataError, OptionError
from blemish.evaluation.evaluation import Evaluation
from blemish.evaluation.run import evaluate
from blemish.fitting import fit
from blemish.reports.html import LONGEST_SIDE
from blemish.reports.report import SHOWN, write_report
from blemish.reports.reporting import report
from blemish.reports.words import LANGUAGES, Words

HOSTILE = "</script><script>alert(1)</script>"
"""A defect's name that would like to be more than text."""


@pytest.fixture(scope="module")
def evaluation(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    root = tmp_path_factory.mktemp("report")
    drawn = [("good", good_part(200 + seed)) for seed in range(8)]
    drawn += [("scratch", scratched_part(300 + seed).grey) for seed in range(4)]
    drawn += [(HOSTILE, stained_part(400 + seed).grey) for seed in range(4)]
    name = "{}.png" if os.name == "nt" else "<img src=x onerror=alert(1)> {}.png"
    samples = []
    for number, (defect, pixels) in enumerate(drawn):
        path = save_image(root / name.format(number), pixels)
        samples.append(Sample(path, int(defect != "good"), defect, None, str(path), "test"))
    (root / "cut.png").write_bytes(b"no image")
    samples.append(Sample(root / "cut.png", 0, "good", None, "cut", "test"))
    return evaluate(detector, samples, resamples=20)


def written(path: Path, detector: Detector, evaluation: Evaluation, model: Path, language: str = "en") -> str:
    write_report(path, detector, evaluation, model=model, data="parts & <others>", language=language)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_stands_alone_in_its_language(
    tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path, language: str
) -> None:
    page = written(tmp_path / "r.html", detector, evaluation, model, language)
    assert f'<html lang="{language}">' in page
    words, read = Words(language), Reader(page)
    for title in ("data", "model", "operating point", "by defect", "curves", "worst misses", "speed", "versions"):
        assert words(title) in read.text
    fetched = [value for name, value in read.attributes if name in {"src", "href", "action", "poster"}]
    assert fetched
    assert all(value and value.startswith("data:image/jpeg;base64,") for value in fetched)
    assert any(value and "default-src 'none'" in value for _, value in read.attributes)
    assert "@import" not in page
    assert "url(http" not in page


def test_names_stay_text(tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path) -> None:
    page = written(tmp_path / "r.html", detector, evaluation, model)
    read = Reader(page)
    assert read.tags.count("script") == 2, "its values and its own script"
    assert not {name for name, _ in read.attributes if name.startswith("on")}
    assert HOSTILE in read.text
    if os.name != "nt":
        assert "<img src=x onerror=alert(1)>" in read.text


def test_it_says_what_the_evaluation_says(
    tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path
) -> None:
    text = Reader(written(tmp_path / "r.html", detector, evaluation, model)).text
    assert evaluation.auroc is not None
    assert f"{100 * evaluation.auroc.value:.1f} %" in text
    assert f"{evaluation.confusion.defective_ok} of 8 defective images called OK" in text
    backbone = detector.manifest.backbone
    assert backbone is not None
    for wanted in (backbone.sha256, backbone.licence, str(detector.manifest.calibration), "parts & <others>"):
        assert wanted in text
    assert any("cut.png" in note for note in evaluation.notes)
    assert all(note in text for note in evaluation.notes)


def test_the_worst_come_first(tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path) -> None:
    page = written(tmp_path / "r.html", detector, evaluation, model)
    captions = re.findall(r"<figcaption><span[^>]*>\w+</span> ([\d.]+) · ", page)
    lowest = sorted(each.score for each in evaluation.predictions if each.label)[:SHOWN]
    highest = sorted((each.score for each in evaluation.predictions if not each.label and not each.error), reverse=True)
    assert captions == [f"{score:.4g}" for score in [*lowest, *highest[:SHOWN]]]
    assert page.count("<img ") >= 3 * len(captions), "image, map, and the part as remembered"


def test_its_size_is_bounded(tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path) -> None:
    """However many images were tested, so many are shown, at so many pixels."""
    tested = replace(evaluation, predictions=evaluation.predictions * 50)
    page = written(tmp_path / "r.html", detector, tested, model)
    widths = [int(width) for width in re.findall(r'<img [^>]*width="(\d+)"', page)]
    assert len(widths) <= 2 * SHOWN * 7
    assert max(widths) <= LONGEST_SIDE
    assert len(page) < 2_000_000


def test_known_defects_are_drawn_beside(tmp_path: Path, detector: Detector, model: Path) -> None:
    """Of each defective image with a mask, one picture more."""
    save_image(tmp_path / "good" / "0.png", good_part(710))
    for seed in range(2):
        part = stained_part(700 + seed)
        save_image(tmp_path / "defective" / f"{seed}.png", part.grey)
        mask = np.zeros_like(part.grey)
        mask[part.defect.y : part.defect.y + part.defect.height, part.defect.x : part.defect.x + part.defect.width] = (
            255
        )
        save_image(tmp_path / "known" / f"{seed}.png", mask)
    pages = []
    for masks in (None, tmp_path / "known"):
        good, defective = tmp_path / "good", tmp_path / "defective"
        report(detector, None, tmp_path / "r.html", good=good, defective=defective, masks=masks, model=model)
        pages.append((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [page.count("known defect (mask)</span>") for page in pages] == [0, 2]
    assert pages[1].count("<img ") == pages[0].count("<img ") + 2


def test_only_good_images(tmp_path: Path, detector: Detector, folder: Path, model: Path) -> None:
    samples = [Sample(path, 0, "good", None, path.name, "test") for path in sorted((folder / "fit").iterdir())]
    text = Reader(written(tmp_path / "r.html", detector, evaluate(detector, samples), model)).text
    assert "Image metrics need good and defective images" in text


def test_training_images_that_are_gone_are_named(
    tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path
) -> None:
    images = [image.model_copy(update={"path": f"/gone/{image.path}"}) for image in detector.manifest.images]
    manifest = detector.manifest.model_copy(update={"images": images})
    moved = detector.with_model(replace(detector.model, manifest=manifest))
    assert (
        "Training images no longer there: /gone/" in Reader(written(tmp_path / "r.html", moved, evaluation, model)).text
    )


def test_bad_input(tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path) -> None:
    with pytest.raises(OptionError, match="no labels"):
        written(tmp_path / "r.html", detector, evaluation, model, "de")
    failed = [each for each in evaluation.predictions if each.error]
    with pytest.raises(DataError, match="could be inspected: no report"):
        written(tmp_path / "r.html", detector, replace(evaluation, predictions=failed), model)
    with pytest.raises(DataError, match="cannot be written"):
        written(tmp_path / "absent" / "r.html", detector, evaluation, model)


def test_the_command(tmp_path: Path, model: Path, run_cli: RunCli) -> None:
    for seed in range(3):
        save_image(tmp_path / "parts" / "good" / f"{seed}.png", good_part(500 + seed))
        save_image(tmp_path / "parts" / "defective" / f"{seed}.png", stained_part(600 + seed).grey)
    parts = tmp_path / "parts"
    outcome = run_cli("report", model, parts, "-o", tmp_path / "報告.html", "--lang", "ja")
    assert outcome.code == 0, outcome
    assert "画像6枚" in outcome.stderr
    assert '<html lang="ja">' in (tmp_path / "報告.html").read_text(encoding="utf-8")
    assert "give en or ja" in run_cli("report", model, parts, "--lang", "xx").sentence
    assert "does not exist" in run_cli("report", model, parts, "-o", tmp_path / "no" / "r.html").sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_review_has_a_figure_and_a_line(
    tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path, language: str
) -> None:
    words = Words(language)
    page = written(tmp_path / "r.html", detector, evaluation, model, language)
    assert words("for review") not in page, "the model has no band"
    assert 'class="review-line"' not in page
    banded = calibrate(detector, threshold=1000, review=0.5)  # so high that defects are REVIEW
    samples = [
        Sample(Path(each.path), each.label, each.defect, None, each.path, "test") for each in evaluation.predictions
    ]
    judged = evaluate(banded, samples, resamples=20)
    page = written(tmp_path / "r.html", banded, judged, model, language)
    confusion = judged.confusion
    assert confusion.defective_review == 8
    assert 'class="review-line"' in page
    counts = words("of both").format(
        good=confusion.good_review, good_of=confusion.good, bad=confusion.defective_review, bad_of=confusion.defective
    )
    assert counts in Reader(page).text


def test_a_method_without_maps_says_so(tmp_path: Path, folder: Path, evaluation: Evaluation, model: Path) -> None:
    """Its overlays had looked like maps of perfect parts, and its crops were smears."""
    whole = fit(folder / "fit", method="1-nn", size=64, progress=False)
    text = Reader(written(tmp_path / "r.html", whole, evaluation, model)).text
    words = Words("en")
    assert words("no map") in text
    assert words("nearest image") in text
    assert not any(words(name) in text for name in ("cases say", "remembered", "deviates"))
    result = whole.inspect(folder / "line" / "scratch.png")
    mapped = replace(result, anomaly_map=np.zeros(result.image().shape[:2], np.float32))
    assert result.overlay().shape[0] > mapped.overlay().shape[0], "one line more: there is no map"
