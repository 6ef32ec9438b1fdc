"""Evaluate a detector and write the report of it: the way that the command and the Python call share."""

import os
from pathlib import Path

from blemish.data.samples import Labelled, labelled_samples
from blemish.detector import Detector
from blemish.errors import DataError
from blemish.evaluation.evaluation import Evaluation
from blemish.evaluation.run import evaluate
from blemish.reports.report import write_report
from blemish.reports.words import Words
from blemish.system.address import place_of
from blemish.system.progress import Shown

__all__ = ["report"]

Named = str | os.PathLike[str]


def report(
    detector: Detector,
    data: Labelled | None = None,
    output: Named = "report.html",
    *,
    good: Named | None = None,
    defective: Named | None = None,
    masks: Named | None = None,
    model: Named | None = None,
    language: str = "en",
    seed: int = 0,
    progress: Shown = None,
) -> Evaluation:
    """Evaluate a detector and write one HTML file of it, to open in any browser: model, threshold, curves, cases.

    Args:
        detector: What is measured.
        data: The labelled images, as `evaluate` takes them.
        output: The HTML file to write; its folder must exist.
        good: In place of `data`: a folder of good images.
        defective: In place of `data`: a folder of defective images.
        masks: Masks of the defective images, named like them.
        model: The detector's file, which the report names with its sha256; None where it was not saved.
        language: Of the labels: en or ja.
        seed: Draws the bootstrap samples.
        progress: None shows bars or lines on stderr, False nothing; a function is called with step, done and total.

    Returns:
        The evaluation that the report shows.

    Raises:
        DataError: As for `evaluate`; or no image could be inspected, or the report cannot be written.
        OptionError: There is no such language; or both `data` and folders were given, or neither.
    """
    output = Path(output)
    Words(language)  # before anything long
    if not output.resolve().parent.is_dir():
        raise DataError(f"The folder {output.parent} for {output.name} does not exist; create it first.")
    samples = labelled_samples(data, good, defective, masks)
    evaluation = evaluate(detector, samples, seed=seed, progress=progress)
    write_report(
        output,
        detector,
        evaluation,
        model=None if model is None else place_of(model),
        data=_named(data, good, defective),
        samples=samples,
        language=language,
        seed=seed,
    )
    return evaluation


def _named(data: Labelled | None, good: Named | None, defective: Named | None) -> str:
    """How the report calls the data set."""
    if data is None:
        return f"{good}, {defective}"
    return str(data) if isinstance(data, str | os.PathLike) else f"{len(data)} images"
