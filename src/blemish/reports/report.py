"""The report: one HTML file that says what a model is, what it was tested on, and how far its verdicts can be trusted.

Its size is bounded: at most 2 x SHOWN cases of 4 + 2 x REGIONS pictures, each a JPEG of at most LONGEST_SIDE pixels
(some 15 KB), and some 25 bytes a test image for the movable threshold.
"""

import datetime
import hashlib
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from blemish.data.samples import Sample
from blemish.detector import Detector
from blemish.diagnosis.installation import machine, package_versions
from blemish.errors import DataError
from blemish.evaluation.evaluation import Confusion, Estimate, Evaluation
from blemish.evaluation.trades import HEADS, band_in_words, misses_unknown, trades
from blemish.language.numbers import percent
from blemish.options.takes import as_typed
from blemish.reports.cases import Cases
from blemish.reports.html import Html, element, facts, packed, says, table, write_page_file
from blemish.reports.threshold import Scores, by_defect, curves, operating_point
from blemish.reports.words import Words
from blemish.result import Verdict
from blemish.system.address import Place

__all__ = ["SHOWN", "write_report"]

SHOWN = 6
"""The number of lowest-scoring defective and of highest-scoring good images that are shown."""


def write_report(
    path: Path,
    detector: Detector,
    evaluation: Evaluation,
    *,
    model: Place | None,
    data: str,
    samples: Sequence[Sample] = (),
    language: str = "en",
    seed: int = 0,
) -> None:
    """Write the report of an evaluation; labels are in `language`, en or ja.

    `model` is the model's file, None where it was not saved, and `data` names the data set; the masks of its `samples`
    are drawn beside what was found. The images shown are inspected once more, so they must still be there. Raises
    OptionError for another language, DataError where nothing could be inspected or the report cannot be written.
    """
    words = Words(language)
    scored = [each for each in evaluation.predictions if each.verdict is not Verdict.ERROR]
    if not scored:
        raise DataError(f"None of the {len(evaluation.predictions)} images of {data} could be inspected: no report.")
    scores = Scores(detector, evaluation, scored)
    cases = Cases(detector, words, {str(each.path): each for each in samples if each.label and each.mask})
    good = sorted((each for each in scored if not each.label), key=lambda each: -each.score)
    defective = sorted((each for each in scored if each.label), key=lambda each: each.score)
    misses, alarms = cases.drawn(defective[:SHOWN]), cases.drawn(good[:SHOWN])
    title = f"{words('report')}: {model.name if model else detector.manifest.method}"
    sections = [
        _head(words, evaluation, title),
        _section(words("data"), _data(words, evaluation, data, seed)),
        _section(words("model"), _model(words, detector, model)),
        _section(words("operating point"), operating_point(words, scores)),
        _section(words("other points"), _other_points(words, detector, evaluation, model)),
        _section(words("by defect"), by_defect(words, evaluation, scores)) if defective else None,
        _section(words("curves"), curves(words, scores)) if good and defective else None,
        _section(words("worst misses"), says(_about_cases(words, cases)), misses),
        _section(words("worst false alarms"), alarms),
        _section(words("speed"), _speed(words, cases)),
        _section(words("versions"), _versions(words, detector)),
        _section(words("notes"), _notes(words, evaluation, cases)),
    ]
    write_page_file(path, title, element("main", *sections), language=language, script="report.js")


def _section(title: str, *content: object) -> Html:
    return element("section", element("h2", title), *content)


def _head(words: Words, evaluation: Evaluation, title: str) -> Html:
    """The title, and the figures one looks for first."""
    confusion = evaluation.confusion
    now = datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    auroc = evaluation.auroc
    rejected = words("of good").format(part=confusion.good_ng, whole=confusion.good)
    missed = words("of defective").format(part=confusion.defective_ok, whole=confusion.defective)
    figures = [
        (words("image AUROC"), percent(auroc.value if auroc else None), _interval(words, auroc)),
        (words("false rejects"), percent(confusion.false_reject_rate), rejected),
        (words("misses"), percent(confusion.miss_rate), missed),
        *_for_review(words, confusion),
        (words("threshold"), f"{evaluation.threshold:.4g}", words("own threshold")),
        (words("time"), f"{1000 * evaluation.seconds_per_image:.0f} ms", words("waited")),
    ]
    cells = (
        element("div", element("span", name), element("b", value), element("span", more))
        for name, value, more in figures
    )
    written = f"{words('written')} {now} · blemish {version('blemish')}"
    return element(
        "header",
        element("h1", title),
        element("p", written, class_="quiet"),
        element("div", *cells, class_="key"),
    )


def _for_review(words: Words, confusion: Confusion) -> list[tuple[str, str, str]]:
    """How many images are for people to look at; nothing where there are none."""
    count, whole = confusion.good_review + confusion.defective_review, confusion.good + confusion.defective
    if not count:
        return []
    of_each = words("of both").format(
        good=confusion.good_review, good_of=confusion.good, bad=confusion.defective_review, bad_of=confusion.defective
    )
    return [(words("for review"), percent(count / whole), of_each)]


def _data(words: Words, evaluation: Evaluation, data: str, seed: int) -> Html:
    kinds = ", ".join(f"{each.defect} {each.images}" for each in evaluation.defects)
    pixels = evaluation.pixels
    rows: list[tuple[object, object]] = [
        (words("source"), data),
        (words("test images"), len(evaluation.predictions)),
        (words("good"), evaluation.good),
        (words("defective"), evaluation.defective),
        (words("groups"), evaluation.groups),
        (words("kinds"), kinds or "-"),
        (words("unreadable"), len(evaluation.errors)),
        (words("average precision"), _estimate(words, evaluation.average_precision)),
        (words("F1-max"), _estimate(words, evaluation.f1_max)),
    ]
    if pixels:
        rows.append((words("pixel AUROC"), percent(pixels.auroc)))
        rows.append((words("AUPRO").format(pixels.limit), percent(pixels.aupro)))
    return facts([*rows, (words("seed"), seed)])


def _model(words: Words, detector: Detector, model: Place | None) -> Html:
    info, manifest = detector.info(), detector.manifest
    backbone, bank = manifest.backbone, info.get("bank")
    rows: list[tuple[object, object]] = [
        *(_file(words, model) if model else []),
        (words("created"), f"{manifest.created} (blemish {manifest.blemish})"),
        (words("method"), manifest.method),
        (words("fitted on"), _counts(words, info["images"], info["groups"])),
        (words("input"), f"{manifest.transform.height} x {manifest.transform.width}, {manifest.transform.resize}"),
    ]
    if bank:
        rows.append((words("bank"), f"{bank['rows']:,} x {bank['dimension']}"))
    if manifest.settings.looks:
        rows += [(words("bank"), words.sentence(line)) for line in str(detector.model.method).splitlines()]
    if backbone:
        rows.append((words("backbone"), f"{backbone.name} ({backbone.source})"))
        rows.append((words("licence"), backbone.licence))
        rows.append((words("backbone sha256"), element("code", backbone.sha256)))
    rows.append((words("calibration"), words.sentence(str(manifest.calibration))))
    options = [(name, as_typed(value)) for name, value in manifest.settings.model_dump(mode="json").items()]
    settings = table([words("setting"), words("value")], options)
    return packed([facts(rows), element("details", element("summary", words("settings")), settings)])


def _file(words: Words, model: Place) -> list[tuple[object, object]]:
    """The model's file, and by what it is known."""
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    return [(words("file"), model), (words("sha256"), element("code", sha256))]


def _counts(words: Words, images: int, parts: int) -> str:
    """The number of images, and that of parts where it is another one."""
    counted = [words("images").format(images)] + ([words("parts").format(parts)] if parts != images else [])
    return ", ".join(counted)


def _other_points(words: Words, detector: Detector, evaluation: Evaluation, model: Place | None) -> Html:
    """False rejects against misses; or what to do to know of misses."""
    found, name = trades(detector, evaluation), model.name if model else "MODEL"
    if not found:
        return element("p", words.sentence(misses_unknown(name)))
    rows = [[words.sentence(cell) for cell in each.cells()] for each in found]
    drawn = table([words.sentence(head) for head in HEADS], rows)
    band = band_in_words(found, name)
    return packed([says(words("other points say")), drawn, element("p", words.sentence(band)) if band else None])


def _about_cases(words: Words, cases: Cases) -> str:
    """What the pictures show; a method that scores whole images draws no map."""
    return words("no map") if cases.without_maps else f"{words('cases say')} {words('cases say why')}"


def _speed(words: Words, cases: Cases) -> Html:
    steps = list(cases.timings[0]) if cases.timings else []

    def row(step: str) -> tuple[object, ...]:
        milliseconds = [1000 * timings[step] for timings in cases.timings]
        return (
            words(step),
            f"{statistics.median(milliseconds):.1f}",
            f"{min(milliseconds):.1f} - {max(milliseconds):.1f}",
        )

    header = [words("step"), words("median"), words("range")]
    return packed([says(words("speed says")), table(header, map(row, steps))])


def _versions(words: Words, detector: Detector) -> Html:
    rows: list[tuple[object, object]] = [
        (words("machine"), f"Python {machine()}"),
        (words("provider"), detector.extractors.provider),
        (words("threads"), detector.extractors.threads),
        *package_versions().items(),
    ]
    return facts(rows)


def _notes(words: Words, evaluation: Evaluation, cases: Cases) -> Html:
    notes = [*map(words.sentence, evaluation.notes), *(f"{words('missing')}: {path}" for path in cases.missing)]
    if not notes:
        return element("p", words("none"))
    return element("ul", *(element("li", note) for note in notes))


def _interval(words: Words, estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{words('interval')} {100 * estimate.low:.1f} - {100 * estimate.high:.1f}"


def _estimate(words: Words, estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    interval = _interval(words, estimate)
    return f"{percent(estimate.value)}{f' ({interval})' if interval else ''}"
