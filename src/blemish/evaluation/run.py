"""Measure a fitted detector on the test samples of a data set."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from blemish.calibration.promise import Share
from blemish.data.samples import Labelled, Sample, labelled_samples
from blemish.detector import Detector
from blemish.errors import DataError, OptionError
from blemish.evaluation.bootstrap import Interval, intervals
from blemish.evaluation.elsewhere import Asked, InspectEach
from blemish.evaluation.evaluation import Confusion, DefectScore, Estimate, Evaluation, Prediction
from blemish.evaluation.masks import lacks_mask, sample_mask
from blemish.evaluation.metrics import auroc, average_precision, f1_max
from blemish.evaluation.operating import OperatingPoint, PartScores, least_cost, zero_miss
from blemish.evaluation.pixels import PixelCurve, PixelScores
from blemish.images.parts import glance_over, joined_parts
from blemish.images.rules import USUAL
from blemish.language.numbers import percent
from blemish.methods.good_images import Workers
from blemish.result import Result, Verdict
from blemish.system.address import Place
from blemish.system.conducts import Conducts, Once, only
from blemish.system.progress import Progress, Shown, shown
from blemish.system.stream import available_threads

__all__ = ["Inspects", "evaluate"]

Answer = TypeVar("Answer")


class Inspects(Protocol):
    """What is asked of a detector here."""

    @property
    def threshold(self) -> float: ...

    def inspect_many(self, images: Iterable[Place]) -> Iterator[Result]:
        """One result for each image, in order."""
        ...


def evaluate(
    detector: Inspects,
    data: Labelled | None = None,
    *,
    good: str | os.PathLike[str] | None = None,
    defective: str | os.PathLike[str] | None = None,
    masks: str | os.PathLike[str] | None = None,
    resamples: int = 1000,
    miss_cost: float = 10.0,
    seed: int = 0,
    progress: Shown = None,
    cluster: Workers | Conducts | None = None,
) -> Evaluation:
    """Inspect all labelled images of split `test` and measure the results.

    Pixel metrics pool all pixels of good images and of defective ones with a mask, at the size of the image. An image
    with verdict ERROR is listed, and the rest goes on.

    Args:
        detector: What is measured.
        data: A folder in the MVTec AD layout or with good/ and defective/, a CSV, or samples.
        good: In place of `data`: a folder of good images.
        defective: In place of `data`: a folder of defective images.
        masks: Masks of the defective images, named like them.
        resamples: Bootstrap draws over groups; intervals hold 95 % of them.
        miss_cost: What one missed part costs, in false rejects, at the oracle threshold of least cost.
        seed: Draws the bootstrap samples.
        progress: None shows bars or lines on stderr, False nothing; a function is called with step, done and total.
        cluster: Machines that inspect, from `blemish.connect`; images are then files that all of them can read. Maps
            come back only where masks are measured.

    Returns:
        Image AUROC, average precision and F1-max with intervals, pixel metrics, both error rates, one prediction an
        image.

    Raises:
        DataError: There are no test images, a mask is of another size than its image, or a good image's mask marks a
            defect.
        OptionError: Both `data` and folders were given, or neither; or a cluster is to inspect by an export.
    """
    if cluster and not isinstance(detector, Detector):
        raise OptionError("Option cluster cannot be used with an export; use the model it was made from.")
    if isinstance(cluster, Conducts):
        call = partial(evaluate, detector, data, good=good, defective=defective, masks=masks, seed=seed)
        call = partial(call, resamples=resamples, miss_cost=miss_cost)
        return only(cluster.conduct(Once(call), progress=progress))
    samples = labelled_samples(data, good, defective, masks)
    tests = [sample for sample in samples if sample.split == "test"]
    if not tests:
        raise DataError(f"None of {len(samples)} samples belongs to the split test; nothing can be measured.")
    notes = _seen_before(detector, tests, cluster)
    tests = _in_parts(detector, tests, notes, cluster)
    masked = any(sample.mask and sample.label for sample in tests)
    with PixelCurve() as curve, shown(progress) as report:
        results = _results(detector, tests, cluster, masked=masked)
        predictions, seconds = _inspect(results, tests, curve if masked else None, notes, report)
        pixels = _measured(curve.scores, notes) if masked else None
    if not masked:
        notes.append("No masks came with the defective images, so there are no pixel metrics.")
    if pixels and pixels.unseen:
        notes.append(f"{percent(pixels.unseen)} of the defective pixels were not looked at and are in no pixel metric.")
    return _summary(detector.threshold, predictions, seconds, pixels, notes, resamples, miss_cost, seed)


def _seen_before(detector: Inspects, tests: Sequence[Sample], cluster: Workers | None) -> list[str]:
    """Words on test images whose pixels the model knows, under whatever name."""
    if not isinstance(detector, Detector):
        return []
    known = [each for each in detector.known([sample.path for sample in tests], cluster=cluster) if each]
    learnt = [each.path for each in known if each.in_memory]
    notes = []
    if learnt:
        notes.append(
            f"{len(learnt)} of {len(tests)} test images are in the memory, such as {learnt[0]}: the figures are too "
            f"good for new parts. Leave them out."
        )
    if others := len(known) - len(learnt):
        notes.append(
            f"{others} of {len(tests)} test images set the thresholds: false rejects are too few. Leave them out."
        )
    return notes


def _in_parts(detector: Inspects, tests: Sequence[Sample], notes: list[str], cluster: Workers | None) -> list[Sample]:
    """The samples, copies and pictures of one part in one group; a note says how many fewer there are."""
    rules = detector.viewer.rules if isinstance(detector, Detector) else USUAL
    stated = any(sample.group != str(sample.path) for sample in tests)
    elsewhere = partial(cluster.glance, memory=0) if cluster else None
    glances = glance_over([sample.path for sample in tests], rules, threads=available_threads(), elsewhere=elsewhere)
    named = [sample.group for sample in tests]
    parts = joined_parts(glances, named, stated=stated, threads=available_threads())
    if fewer := len(set(named)) - len(set(parts)):
        notes.append(f"Test images that show a part that another shows too: {fewer}; {len(set(parts))} parts count.")
    return [replace(sample, group=part) for sample, part in zip(tests, parts, strict=True)]


def _results(detector: Inspects, tests: Sequence[Sample], cluster: Workers | None, *, masked: bool) -> Iterator[Result]:
    """One result a sample, in order; from a cluster, with maps only where they are measured."""
    if cluster is None or not isinstance(detector, Detector):
        return detector.inspect_many([sample.path for sample in tests])
    asked = [Asked(sample.path, masked and not lacks_mask(sample)) for sample in tests]
    return cluster.stream(InspectEach(detector), asked, heavy=masked)


def _inspect(
    results: Iterator[Result], tests: Sequence[Sample], curve: PixelCurve | None, notes: list[str], progress: Progress
) -> tuple[list[Prediction], float]:
    """Take the results of the samples; maps go to `curve` and are dropped. Returns predictions and seconds waited."""
    predictions: list[Prediction] = []
    oddities: Counter[str] = Counter()
    seconds = 0.0
    for sample in tests:
        began = time.perf_counter()
        result = next(results)
        seconds += time.perf_counter() - began
        assert result.path == str(sample.path), "inspect_many keeps the order"
        predictions.append(_prediction(sample, result))
        if curve is not None and result.verdict is not Verdict.ERROR:
            oddities[_add_pixels(curve, sample, result)] += 1
        progress("inspect", len(predictions), len(tests))
    failed = [each.path for each in predictions if each.verdict is Verdict.ERROR]
    if failed:
        names = ", ".join(failed[:3]) + (", ..." if len(failed) > 3 else "")
        notes.append(f"{len(failed)} of {len(tests)} images could not be inspected and are in no metric: {names}.")
    notes.extend(f"{oddity}: {count} images." for oddity, count in oddities.items() if oddity)
    return predictions, seconds


def _prediction(sample: Sample, result: Result) -> Prediction:
    return Prediction(
        path=str(sample.path),
        label=sample.label,
        defect=sample.defect,
        group=sample.group,
        score=result.score,
        verdict=result.verdict,
        error=result.error,
    )


def _add_pixels(curve: PixelCurve, sample: Sample, result: Result) -> str:
    """Give one image's pixels to the curve; answers what is odd about them, or nothing."""
    if lacks_mask(sample):
        return "Left out of the pixel metrics, because there is no mask"
    if result.anomaly_map is None:
        return "Left out of the pixel metrics, because there is no anomaly map"
    mask = sample_mask(sample, result.anomaly_map.shape)
    curve.add(result.anomaly_map, mask)
    return "Defective, but the mask is empty" if sample.label and not mask.any() else ""


def _summary(
    threshold: float,
    predictions: list[Prediction],
    seconds: float,
    pixels: PixelScores | None,
    notes: list[str],
    resamples: int,
    miss_cost: float,
    seed: int,
) -> Evaluation:
    """Measure what can be measured; what cannot adds its reason to the notes."""
    scored = [each for each in predictions if each.verdict is not Verdict.ERROR]
    scores, labels = [each.score for each in scored], [each.label for each in scored]
    groups = [each.group for each in scored]
    ranges = _measured(lambda: intervals(scores, labels, groups, resamples=resamples, seed=seed), notes)
    area = _measured(lambda: auroc(scores, labels), notes)
    precision = _measured(lambda: average_precision(scores, labels), notes)
    best = _measured(lambda: f1_max(scores, labels), notes)
    defective = sum(each.label for each in predictions)
    return Evaluation(
        good=len(predictions) - defective,
        defective=defective,
        groups=len({each.group for each in predictions}),
        auroc=_estimate(area, ranges.auroc if ranges else None),
        average_precision=_estimate(precision, ranges.average_precision if ranges else None),
        f1_max=_estimate(best.value if best else None, ranges.f1_max if ranges else None),
        f1_max_oracle_threshold=best.threshold if best else None,
        pixels=pixels,
        defects=_defects(scored, notes),
        threshold=threshold,
        confusion=_confusion(scored),
        false_rejects=_share_of_parts([each for each in scored if not each.label], _rejected),
        misses=_share_of_parts([each for each in scored if each.label], _missed),
        oracle_points=_measured(lambda: _oracle_points(scores, labels, groups, miss_cost), notes) or {},
        seconds_per_image=seconds / len(predictions),
        predictions=predictions,
        notes=list(dict.fromkeys(notes)),
    )


def _defects(scored: Sequence[Prediction], notes: list[str]) -> list[DefectScore]:
    """Each type of defect, by name, against all good images."""
    good = [each.score for each in scored if not each.label]

    def score(defect: str) -> DefectScore:
        own = [each for each in scored if each.label and each.defect == defect]
        scores, labels = good + [each.score for each in own], [0] * len(good) + [1] * len(own)
        missed = sum(each.verdict is Verdict.OK for each in own)
        area = _measured(lambda: auroc(scores, labels), notes) if good else None
        return DefectScore(defect, len(own), missed, area)

    return [score(defect) for defect in sorted({each.defect for each in scored if each.label})]


def _confusion(scored: Sequence[Prediction]) -> Confusion:
    counts = Counter((bool(each.label), each.verdict) for each in scored)
    verdicts = (Verdict.OK, Verdict.REVIEW, Verdict.NG)
    return Confusion(*(counts[label, verdict] for label in (False, True) for verdict in verdicts))


def _share_of_parts(scored: Sequence[Prediction], judged: Callable[[set[Verdict]], bool]) -> Share | None:
    """Parts by what their images' verdicts say together."""
    verdicts: dict[str, set[Verdict]] = {}
    for each in scored:
        verdicts.setdefault(each.group, set()).add(each.verdict)
    return Share.observed(sum(map(judged, verdicts.values())), len(verdicts)) if verdicts else None


def _rejected(verdicts: set[Verdict]) -> bool:
    return Verdict.NG in verdicts


def _missed(verdicts: set[Verdict]) -> bool:
    return verdicts == {Verdict.OK}


def _oracle_points(
    scores: list[float], labels: list[int], groups: list[str], miss_cost: float
) -> dict[str, OperatingPoint]:
    parts = PartScores.of(scores, labels, groups)
    return {"zero miss": zero_miss(parts), "least cost": least_cost(parts, miss_cost)}


def _estimate(value: float | None, interval: Interval | None) -> Estimate | None:
    if value is None:
        return None
    return Estimate(value, *((interval.low, interval.high) if interval else (None, None)))


def _measured(measure: Callable[[], Answer], notes: list[str]) -> Answer | None:
    """The answer, or None with the reason among the notes."""
    try:
        return measure()
    except DataError as error:
        notes.append(str(error))
        return None
