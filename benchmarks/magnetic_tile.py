"""Magnetic Tile Defects (Huang et al., 2020): how well a detector parts good tiles from defective ones.

    BLEMISH_DATA=... python benchmarks/magnetic_tile.py
    BLEMISH_DATA=... python benchmarks/magnetic_tile.py --backbone resnet18_tv --preset paper --coreset 0.01 0.1
    BLEMISH_DATA=... python benchmarks/magnetic_tile.py --method differnet --split published

Two splits: the published one (DifferNet's; its test tiles were seen in training under another exposure) and the
tile-disjoint one. Pictures of one tile form a group, in fit and in the intervals.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from machine import Spread, data_folder, markdown_table, publish

import blemish
from blemish.data.protocols.magnetic_tile import read_magnetic_tile
from blemish.data.samples import Sample
from blemish.evaluation.evaluation import Estimate, Evaluation
from blemish.evaluation.metrics import auroc
from blemish.evaluation.run import evaluate
from blemish.methods.registry import METHODS
from blemish.options.settings import readers

SPLITS = ("published", "disjoint")
OPTIONS = ("method", "schedule", "epochs", "encoder", "held_out", "preset", "backbone", "effort", "looks", "seed")
"""Options of fit that this script passes on."""
PAPER = {
    "patchcore": "97.9 % (WideResNet-50, 10 %; table 6)",
    "differnet": "97.7 % (AlexNet; table 6)",
    "ganomaly": "76.6 % (table 6); 68.3 % elsewhere",
}
SINGLY = 50
"""So many test images are also inspected one at a time."""


@dataclass(frozen=True)
class Outcome:
    """One detector on one split."""

    split: str
    trained_on: int
    kept: str
    """What the method keeps of the good images."""
    method: str
    fit_seconds: float
    one_ms: Spread
    evaluation: Evaluation
    seeds: list[float]
    """Image AUROC by seed, in percent; the first is that of the evaluation."""


def main() -> None:
    arguments = parse()
    outcomes = [
        measure(arguments, split, coreset) for coreset in arguments.coreset or [None] for split in arguments.split
    ]
    theme = "_".join(filter(None, ["magnetic_tile", *named(arguments)]))
    publish(theme, table(outcomes), seed=arguments.seed, keep=arguments.output)


def named(arguments: argparse.Namespace) -> list[str | None]:
    """What tells one table from another."""
    method = arguments.preset if arguments.method == "patchcore" else arguments.method
    return [
        method,
        arguments.schedule,
        arguments.epochs and f"{arguments.epochs}_epochs",
        arguments.backbone,
        arguments.effort,
        arguments.looks and "looks",
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=list(METHODS), default="patchcore")
    parser.add_argument("--schedule", choices=["short", "published"], help="of a trained method")
    parser.add_argument("--epochs", help="of a trained method, other than its schedule's")
    parser.add_argument("--encoder", help="weights of CAVGA's encoder")
    parser.add_argument(
        "--held-out", help="good parts that a trained method leaves for the threshold: a share or a number"
    )
    parser.add_argument("--ungrouped", action="store_true", help="let fit know no tiles, as in the published protocol")
    parser.add_argument("--preset", choices=["default", "paper"], default="default")
    parser.add_argument("--backbone", help="by default the built-in one")
    parser.add_argument("--effort", help="quick, standard or thorough")
    parser.add_argument("--looks", help="in place of the effort")
    parser.add_argument("--coreset", nargs="+", help="shares or numbers of rows, one column each")
    parser.add_argument("--split", nargs="+", choices=list(SPLITS), default=list(SPLITS))
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds from --seed on, for the image AUROC")
    parser.add_argument("--images", type=int, help="train and test on so many images only, to try the script")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def measure(arguments: argparse.Namespace, split: str, coreset: str | None) -> Outcome:
    """Fit on the good images of a split, then inspect and score its test images."""
    print(f"{split}, coreset {coreset or 'as in the preset'} ...", file=sys.stderr)
    task = read_magnetic_tile(data_folder() / "mtd")[SPLITS.index(split)]
    train, tests = thin(task.train, arguments.images), thin(task.test, arguments.images)
    asked = {name: getattr(arguments, name) for name in OPTIONS} | {"coreset": coreset}
    options = {name: value for name, value in asked.items() if value is not None}
    groups = None if arguments.ungrouped else [s.group for s in train]
    began = time.perf_counter()
    detector = blemish.fit([s.path for s in train], groups=groups, **options)
    fit_seconds = time.perf_counter() - began
    evaluation = evaluate(detector, tests, seed=arguments.seed)
    # Folds set the threshold alone, but for trained methods; two are enough where only the ranking is asked for.
    fewer = {} if arguments.method in readers("schedule") else {"folds": 2}
    others = [
        ranking(blemish.fit([s.path for s in train], **options | {"seed": seed} | fewer), tests)
        for seed in range(arguments.seed + 1, arguments.seed + arguments.seeds)
    ]
    return Outcome(
        split,
        sum(image.in_memory for image in detector.manifest.images),
        str(detector.model.method),
        arguments.method,
        fit_seconds,
        one_at_a_time(detector, thin(tests, SINGLY)),
        evaluation,
        [ranking_of(evaluation), *others],
    )


def ranking(detector: blemish.Detector, tests: Sequence[Sample]) -> float:
    """Image AUROC alone, in percent."""
    scores = [result.score for result in detector.inspect_many(sample.path for sample in tests)]
    return 100 * auroc(scores, [sample.label for sample in tests])


def ranking_of(evaluation: Evaluation) -> float:
    assert evaluation.auroc is not None, "both labels are there"
    return 100 * evaluation.auroc.value


def thin(samples: Sequence[Sample], count: int | None) -> list[Sample]:
    """About so many of the samples, evenly spread; all of them without a count."""
    return list(samples[:: max(1, len(samples) // count)]) if count else list(samples)


def one_at_a_time(detector: blemish.Detector, tests: Sequence[Sample]) -> Spread:
    """Milliseconds from file to map, each image on all threads, after one to warm up."""
    detector.inspect(tests[0].path)
    milliseconds = []
    for sample in tests:
        began = time.perf_counter()
        detector.inspect(sample.path)
        milliseconds.append(1000 * (time.perf_counter() - began))
    return Spread.of(milliseconds)


def table(outcomes: Sequence[Outcome]) -> str:
    """One column per detector and split; measures in rows."""
    columns = [column(outcome) for outcome in outcomes]
    header = ["", *(f"{outcome.split}, {outcome.kept}" for outcome in outcomes)]
    measures = dict.fromkeys(measure for figures in columns for measure in figures)
    rows = [[measure, *(figures.get(measure, "-") for figures in columns)] for measure in measures]
    notes = sorted({note for outcome in outcomes for note in outcome.evaluation.notes})
    return "\n".join([markdown_table(header, rows), "", INTERVALS, *(f"- {note}" for note in notes)])


INTERVALS = (
    "In brackets: 95 % bootstrap intervals over groups (pictures of one tile), or the range of single runs. "
    "False rejects and misses count at the threshold of the model itself; F1-max is an oracle. "
    "Masks are cut at half their brightest value; one that is empty leaves its image out of the pixel metrics."
)


def column(outcome: Outcome) -> dict[str, str]:
    """What one outcome says, measure by measure."""
    evaluation = outcome.evaluation
    pixels, confusion = evaluation.pixels, evaluation.confusion
    return {
        "good images learnt from; the others set the threshold": str(outcome.trained_on),
        "test images": f"{evaluation.good} good, {evaluation.defective} defective",
        "image AUROC": percent(evaluation.auroc),
        "image AUROC by seed": f"{Spread.of(outcome.seeds)} %" if len(outcome.seeds) > 1 else "-",
        "the paper's image AUROC": PAPER.get(outcome.method, "-") if outcome.split == "published" else "-",
        "average precision": percent(evaluation.average_precision),
        "F1-max (oracle)": percent(evaluation.f1_max),
        "pixel AUROC": percent(pixels.auroc if pixels else None),
        "AUPRO at 0.3": percent(pixels.aupro if pixels else None),
        **{f"image AUROC, {each.defect} ({each.images})": percent(each.auroc) for each in evaluation.defects},
        "false rejects at the model's threshold": percent(confusion.false_reject_rate),
        "misses at the model's threshold": percent(confusion.miss_rate),
        "fit, threshold included": f"{outcome.fit_seconds:.1f} s",
        "inspect, in a stream": f"{1000 * evaluation.seconds_per_image:.1f} ms an image",
        "inspect, one at a time": f"{outcome.one_ms} ms",
    }


def percent(value: Estimate | float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{100 * value:.2f} %"
    if value.low is None or value.high is None:
        return percent(value.value)
    return f"{100 * value.value:.2f} % ({100 * value.low:.1f} to {100 * value.high:.1f})"


if __name__ == "__main__":
    main()
