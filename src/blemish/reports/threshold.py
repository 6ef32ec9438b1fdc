"""The sections of the report that move with the threshold: what it does, defect by defect, and along the curves.

The page's script (report.js) writes into what is marked by `data-out`, and moves what is drawn.
"""

import numpy as np

from blemish.arrays import Doubles
from blemish.detector import Detector
from blemish.evaluation.evaluation import Evaluation, Prediction
from blemish.evaluation.metrics import sweep
from blemish.language.numbers import percent
from blemish.reports import charts
from blemish.reports.html import Html, element, json_data, packed, says, table
from blemish.reports.words import Words
from blemish.result import Verdict

__all__ = ["Scores", "by_defect", "curves", "operating_point"]


class Scores:
    """The scores that the movable threshold divides."""

    def __init__(self, detector: Detector, evaluation: Evaluation, scored: list[Prediction]) -> None:
        self.threshold = evaluation.threshold
        self.review = detector.manifest.calibration.review_threshold
        self.held_out = detector.model.held_out.scores_M
        self.good = np.array([each.score for each in scored if not each.label])
        self.of_defect = {
            kind.defect: np.array([each.score for each in scored if each.label and each.defect == kind.defect])
            for kind in evaluation.defects
        }
        self.defective = np.concatenate([np.empty(0), *self.of_defect.values()])
        self.axis = charts.score_axis([self.held_out, self.good, self.defective], self.threshold)

    def above(self, scores: Doubles) -> int:
        """How many scores the model's own threshold calls NG."""
        return int((scores > self.threshold).sum())

    def data(self) -> Html:
        """What the script needs."""
        return json_data(
            "scores",
            {
                "threshold": self.threshold,
                "low": self.axis.low,
                "high": self.axis.high,
                "heldOut": self.held_out.tolist(),
                "good": self.good.tolist(),
                "defective": {defect: scores.tolist() for defect, scores in self.of_defect.items()},
            },
        )


def operating_point(words: Words, scores: Scores) -> Html:
    """Three strips of scores, the threshold across them, and what it does."""
    strips = [charts.strip(words("held out"), scores.held_out, scores.axis, "good")]
    if len(scores.good):
        strips.append(charts.strip(words("good tested"), scores.good, scores.axis, "good"))
    if len(scores.defective):
        strips.append(charts.strip(words("defective tested"), scores.defective, scores.axis, "bad"))
    at = f"--at:{100 * scores.axis.share(scores.threshold):.2f}%"
    ng = element("div", element("span", Verdict.NG), class_="above")
    review = None
    if scores.review < scores.threshold:
        line = f"left:{100 * scores.axis.share(scores.review):.2f}%"
        review = element("div", element("span", Verdict.REVIEW), class_="review-line", style=line)
    return packed(
        [
            says(words("operating point says")),
            None if review is None else says(words("review says").format(review=f"{scores.review:.4g}")),
            charts.hatching(),
            element("div", *strips, review, ng, class_="scores", style=at),
            _slider(words, scores),
            charts.ticks(scores.axis),
            _controls(words, scores),
            _rates(words, scores),
            scores.data(),
        ]
    )


def _slider(words: Words, scores: Scores) -> Html:
    low, high = scores.axis
    label = words("threshold")
    return element(
        "input", type="range", id="threshold", min=low, max=high, step="any", value=scores.threshold, aria_label=label
    )


def _controls(words: Words, scores: Scores) -> Html:
    typed = element("input", type="number", id="typed", step="any", value=f"{scores.threshold:.6g}")
    own = element("button", words("own threshold"), type="button", data_threshold=repr(scores.threshold))
    return element("div", element("label", words("threshold"), " ", typed), own, class_="controls", hidden=True)


def _rates(words: Words, scores: Scores) -> Html:
    """Both error rates at the threshold; the script writes into the cells marked by `data-out`."""
    held, rejected = scores.above(scores.held_out), scores.above(scores.good)
    missed = len(scores.defective) - scores.above(scores.defective)
    rows = [
        (words("false rejects"), "false rejects", "rejected", rejected, len(scores.good)),
        (words("not NG"), "misses", "missed", missed, len(scores.defective)),
        (words("held out above"), "held out", "held out above", held, len(scores.held_out)),
    ]
    return table(
        [words("at the threshold"), words("rate"), words("count")],
        [
            (label, _out(rate, percent(part / whole if whole else None)), _out(count, f"{part} / {whole}"))
            for label, rate, count, part, whole in rows
        ],
    )


def _out(name: str, text: object) -> Html:
    return element("span", text, data_out=name)


def by_defect(words: Words, evaluation: Evaluation, scores: Scores) -> Html:
    rows = [
        (each.defect, each.images, _out(f"missed {number}", len(own) - scores.above(own)), percent(each.auroc))
        for number, (each, own) in enumerate(zip(evaluation.defects, scores.of_defect.values(), strict=True))
    ]
    header = [words("defect"), words("count"), words("not NG of it"), words("AUROC")]
    return packed([says(words("by defect says")), table(header, rows)])


def curves(words: Words, scores: Scores) -> Html:
    swept = sweep(
        np.concatenate([scores.good, scores.defective]),
        np.concatenate([np.zeros(len(scores.good), int), np.ones(len(scores.defective), int)]),
    )
    rejected, caught = scores.above(scores.good), scores.above(scores.defective)
    found = caught / len(scores.defective)
    precision = caught / (caught + rejected) if caught + rejected else 1.0
    false_rejects = rejected / len(scores.good)
    roc = charts.curve(
        words("ROC"), words("ROC axes"), "roc", charts.roc_points(swept), (false_rejects, found), chance=True
    )
    pr = charts.curve(words("PR"), words("PR axes"), "pr", charts.pr_points(swept), (found, precision), chance=False)
    return packed([element("div", roc, pr, class_="curves"), says(words("circle"))])
